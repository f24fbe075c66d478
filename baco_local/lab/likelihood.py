"""How likely a model finds a text as the answer to a prompt: reported beside quality, never as quality. An aligned model finds
every text of its own likelier than any other, whatever it says."""

from collections.abc import Sequence

import numpy as np

from baco_local.collaboration import prompts
from baco_local.collaboration.caches import PROMPT
from baco_local.collaboration.engine import Engine
from baco_local.collaboration.settings import Request
from baco_local.collaboration.side import Side, Span, evaluate
from baco_local.errors import RoomProblem

ROWS = 32  # logits read in one batch


def log_likelihoods(engine: Engine, speaker: str, request: Request, texts: Sequence[str]) -> list[float]:
    """For each text the mean log-probability of its tokens, in nats, under `base` or `aligned`, after that one's form of the
    request's prompt; NaN for an empty text. Not tempered and not cut."""
    engine.forget()
    base, aligned = (reader.side for reader in engine.readers)
    both = prompts.build(request, base, aligned)
    side, prompt = (base, both.base) if speaker == "base" else (aligned, both.aligned)
    split = [side.vocabulary.tokenize(text.encode()) for text in texts]
    longest = len(prompt) + max(map(len, split), default=0)
    if longest > side.n_ctx:
        raise RoomProblem(
            f"{side.name}: a text of {longest} tokens, and its context holds {side.n_ctx}\ndo without log-likelihoods: --likelihood 0"
        )
    side.room(ROWS, longest + ROWS)
    side.cut(PROMPT, 0)
    start = len(prompt) - 1
    for at in range(0, start, side.n_batch):
        evaluate(side, [Span(PROMPT, at, prompt[at : min(start, at + side.n_batch)], logits=False)])
    return [of_text(side, start, prompt[-1], tokens) for tokens in split]


def of_text(side: Side, start: int, last: int, tokens: Sequence[int]) -> float:
    """start: tokens in sequence PROMPT; last: the prompt's last token, which is not."""
    if not tokens:
        return float("nan")
    side.copy(PROMPT, 1)
    read = [last, *tokens[:-1]]
    width = min(ROWS, side.most_rows)
    total = 0.0
    for at in range(0, len(read), width):
        part = read[at : at + width]
        rows = evaluate(side, [Span(1, start + at + index, [token]) for index, token in enumerate(part)])
        for row, token in zip(rows, tokens[at : at + width], strict=True):
            total += float(row[token] - row.max()) - float(np.log(np.exp(row - row.max()).sum(dtype=np.float64)))
    return total / len(tokens)
