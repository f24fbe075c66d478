"""The exact distribution over texts that the rules of the method give for two bigram models, by enumeration.

Written from the rules, not from the decode loop: a recursion over everything that can
happen, with the probability of each.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Row = dict[str, float]  # piece ('' is the end) -> probability
Decide = Callable[[Row, bool], float]  # base's row, text is between words -> probability that base speaks


@dataclass(frozen=True)
class Bigrams:
    """rows[piece] for the newest piece; `split` turns text into this model's pieces."""

    rows: dict[str, Row]
    split: Callable[[str], list[str]]


def between(text: str) -> bool:
    return not text or not text[-1].isalnum()


def begins(piece: str, text: str) -> bool:
    return piece == "" or between(text) or piece[0].isspace() or not any(char.isalnum() for char in piece)


def restricted(row: Row, text: str) -> Row:
    kept = {piece: p for piece, p in row.items() if begins(piece, text)}
    return {piece: p / sum(kept.values()) for piece, p in kept.items()}


@dataclass(frozen=True)
class Seen:
    """What one model has read: its newest piece and how much of the text."""

    last: str = "\n"
    covered: int = 0

    def through(self, text: str, model: Bigrams) -> "Seen":
        pieces = model.split(text[self.covered :])
        return Seen(pieces[-1] if pieces else self.last, len(text))


def distribution(base: Bigrams, aligned: Bigrams, decide: Decide, max_tokens: int) -> dict[str, float]:
    """text (with '|' at the end where the variant ended itself) -> probability."""
    found: dict[str, float] = defaultdict(float)
    for text, p in walk(base, aligned, decide, max_tokens, "", 0, "aligned", Seen(), Seen()):
        found[text] += p
    return dict(found)


def walk(
    base: Bigrams, aligned: Bigrams, decide: Decide, left: int, text: str, count: int, speaker: str, b: Seen, a: Seen
) -> Iterator[tuple[str, float]]:
    if left == 0:
        yield text, 1.0
        return

    def commit(who: str, piece: str, b: Seen, a: Seen, weight: float) -> Iterator[tuple[str, float]]:
        if piece == "":
            yield text + "|", weight
            return
        longer = text + piece
        seen = Seen(piece, len(longer))
        b, a = (seen, a) if who == "base" else (b, seen)
        for result, p in walk(base, aligned, decide, left - 1, longer, count + 1, who, b, a):
            yield result, weight * p

    def by_aligned(weight: float) -> Iterator[tuple[str, float]]:
        """The router has named aligned while base was speaking."""
        now = a.through(text, aligned)
        for piece, p in restricted(aligned.rows[now.last], text).items():
            yield from commit("aligned", piece, b, now, weight * p)

    opening = not any(char.isalnum() for char in text)
    if speaker == "aligned":
        now = a.through(text, aligned)
        for piece, p in aligned.rows[now.last].items():
            if opening or not begins(piece, text):
                yield from commit("aligned", piece, b, now, p)
                continue
            read = b.through(text, base)
            row = base.rows[read.last]
            to_base = decide(row, between(text))
            yield from commit("aligned", piece, read, now, p * (1 - to_base))
            for other, q in restricted(row, text).items():
                if other == "":
                    yield from commit("aligned", piece, read, now, p * to_base * q)
                else:
                    yield from commit("base", other, read, now, p * to_base * q)
        return
    row = base.rows[b.last]
    for piece, p in row.items():
        if piece == "":
            yield from by_aligned(p)
        elif not begins(piece, text):
            yield from commit("base", piece, b, a, p)
        else:
            to_base = decide(row, between(text))
            yield from commit("base", piece, b, a, p * to_base)
            yield from by_aligned(p * (1 - to_base))


# The routers, from their table ---------------------------------------------------------------


def top(row: Row) -> str:
    return max(row, key=lambda piece: row[piece])


def entropy(row: Row) -> float:
    return -sum(p * math.log(p) for p in row.values() if p > 0)


def is_format(piece: str) -> bool:
    return not any(char.isalnum() for char in piece)


def is_function(piece: str, open_text: bool) -> bool:
    return piece.strip() == "a" and (open_text or piece.startswith(" "))


def rule(name: str, threshold: float | None) -> Decide:
    """The probability that base speaks, for the routers of the method."""
    content, _, logit = name.rpartition("-")[::-1] if "-" in name else ("", "", name)
    if name in ("punc", "fc"):
        content, logit = name, "always"
    limit = threshold or 0.0

    def decide(row: Row, open_text: bool) -> float:
        best = top(row)
        if content == "punc" and is_format(best):
            return 0.0
        if content == "fc" and is_function(best, open_text):
            return 0.0
        return {
            "always": lambda: 1.0,
            "base": lambda: 1.0,
            "aligned": lambda: 0.0,
            "p": lambda: float(row[best] < limit),
            "h": lambda: float(entropy(row) > limit),
            "rand": lambda: limit,
            "nudging": lambda: float(row[best] >= limit),
        }[logit]()

    return decide


# Chi-square ----------------------------------------------------------------------------------


def excess(observed: dict[str, int], expected: dict[str, float]) -> float:
    """How far Pearson's chi-square lies above its mean, in standard normal units (Wilson, Hilferty 1931).

    Cells expected fewer than five times are pooled. Infinite when something impossible was seen.
    """
    if observed.keys() - {text for text, p in expected.items() if p > 0}:
        return math.inf
    n = sum(observed.values())
    cells, rest = [], [0.0, 0.0]
    for text, p in expected.items():
        if n * p >= 5:
            cells.append((observed.get(text, 0), n * p))
        else:
            rest[0] += observed.get(text, 0)
            rest[1] += n * p
    if rest[1] > 0:
        cells.append((rest[0], rest[1]))
    freedom = max(1, len(cells) - 1)
    chi = sum((seen - wanted) ** 2 / wanted for seen, wanted in cells)
    spread = 2 / (9 * freedom)
    return float(((chi / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))
