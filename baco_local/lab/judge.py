"""A language model as judge of ideas: how much rather it says that one is a good answer to its prompt than that it is a bad one.

A small model says yes to nearly everything. The contrast takes that out: what is counted is by how much "yes" is likelier for
"is this a good answer?" than for "is this a bad answer?". Whether it can judge at all is measured, too: it has to
prefer an idea as an answer to its own prompt over the same idea as an answer to another one.
"""

from collections.abc import Sequence

import numpy as np

from baco_local.collaboration.prompts import chat
from baco_local.collaboration.side import Side
from baco_local.errors import Problem
from baco_local.lab.reading import behind

QUESTION = "Task: {prompt}\n\nAnswer: {text}\n\nIs this a {kind} answer to the task? Say yes or no."
GOOD, BAD = "good", "bad"
ENOUGH = 0.6  # of pairs judged right; a judge below is not used
SHOWN = 2000  # characters of an idea


class Judge:
    """name: said beside every score. `side`: the model that judges, with a chat template."""

    def __init__(self, side: Side) -> None:
        self.side, self.name = side, side.name
        self.yes, self.no = (words_of(side, word) for word in ("yes", "no"))
        if not len(self.yes) or not len(self.no) or set(self.yes) & set(self.no):
            raise Problem(f"{side.name}: its vocabulary has no words for yes and no; take another judge")

    def __call__(self, prompt: str, texts: Sequence[str]) -> list[float]:
        """For each text a number in (0, 1), 0.5 where "yes" is as likely to both questions. Our own variant of contextual
        calibration (Zhao et al. 2021), with the opposite question in place of an empty input."""
        chains = [[self.asked(prompt, text, kind) for kind in (GOOD, BAD)] for text in texts]
        if not chains:
            return []
        found = behind(self.side, chains, self.leaning)
        return [float(1 / (1 + np.exp(-(good - bad) / 2))) for good, bad in found]

    def asked(self, prompt: str, text: str, kind: str) -> list[int]:
        question = QUESTION.format(prompt=prompt.strip(), text=text.strip()[:SHOWN], kind=kind)
        return chat(self.side, "", question)

    def leaning(self, row: np.ndarray) -> float:
        """Logarithm of the odds of yes against no."""
        return float(np.logaddexp.reduce(row[self.yes]) - np.logaddexp.reduce(row[self.no]))

    def prefers(self, ideas: Sequence[tuple[str, str]]) -> list[float]:
        """For each (prompt, text): 1 where the text is judged better for its own prompt than for the one half the list away (the
        next one is often alike), 0 where it isn't, 0.5 for a draw. The mean is the judge's accuracy; 0.5 is chance."""
        prompts = list(dict.fromkeys(prompt for prompt, _ in ideas))
        half = (len(prompts) + 1) // 2
        others = dict(zip(prompts, prompts[half:] + prompts[:half], strict=True))
        right: list[float] = []
        for prompt in prompts:
            texts = [text for own, text in ideas if own == prompt]
            for own, other in zip(self(prompt, texts), self(others[prompt], texts), strict=True):
                right.append(1.0 if own > other else 0.5 if own == other else 0.0)
        return right


def words_of(side: Side, word: str) -> np.ndarray:
    """The tokens that begin an answer of this word: as it is, capital, and behind a space, where that is one token."""
    found = set()
    for form in (word, word.capitalize(), word.upper()):
        for before in ("", " "):
            tokens = side.vocabulary.tokenize((before + form).encode())
            if len(tokens) == 1 and side.vocabulary.piece(tokens[0]).strip().lower() == word.encode():
                found.add(tokens[0])
    return np.array(sorted(found), np.int64)
