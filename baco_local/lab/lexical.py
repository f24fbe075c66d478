"""Diversity by words alone: what can be said of a list of texts without any model."""

import re
from collections.abc import Iterable

WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """Lower-case words, without punctuation."""
    return WORD.findall(text.casefold())


def distinct(texts: Iterable[str], n: int = 2) -> float | None:
    """Distinct-n (Li et al. 2016): different n-grams of words over all of them, in [0, 1]; more is more diverse. N-grams don't
    cross from one text into the next. It falls with length, so compare lists of about equal length. None without any."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        found = words(text)
        grams = list(zip(*(found[start:] for start in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else None
