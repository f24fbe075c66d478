"""Diversity by words alone: what can be said of a list of texts without any model.

Every metric takes texts and gives a number, or None where there is nothing to compare. Larger is more diverse, but for those of `LESS`.
"""

import functools
import gzip
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*")
PAIRS = 50_000


def words(text: str) -> list[str]:
    """Lower-case words, without punctuation."""
    return WORD.findall(text.casefold())


def ngrams(found: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(found[start:] for start in range(n)), strict=False))


def distinct(texts: Iterable[str], n: int = 2) -> float | None:
    """Distinct-n (Li et al. 2016): different n-grams of words over all of them, in [0, 1]; more is more diverse. N-grams don't
    cross from one text into the next. It falls with length, so compare lists of about equal length."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        grams = ngrams(words(text), n)
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else None


def expectation_adjusted(texts: Iterable[str], vocabulary: int = 30_000) -> float | None:
    """Expectation-adjusted distinct (Liu et al. 2022): different words over how many so many draws from a vocabulary of
    this size would give, V (1 - (1 - 1/V)^C). From 0; about 1 for words drawn evenly; more is more diverse, at any length."""
    found = [word for text in texts for word in words(text)]
    if not found:
        return None
    expected = -vocabulary * math.expm1(len(found) * math.log1p(-1 / vocabulary))
    return len(set(found)) / expected


def self_bleu(texts: Iterable[str], order: int = 4) -> float | None:
    """Self-BLEU (Zhu et al. 2018): the mean BLEU of each text with all others as references, in [0, 1]; less is more diverse.

    BLEU of one sentence: n-grams up to `order` with equal weights, clipped by the most that one reference has, precisions of
    2-grams and longer smoothed by adding 1 to both counts (Lin and Och 2004), brevity penalty with the nearest length.
    """
    lists = [found for text in texts if (found := words(text))]
    if len(lists) < 2:
        return None
    counted = [[Counter(ngrams(found, n)) for n in range(1, order + 1)] for found in lists]
    most = [tops(counts[n] for counts in counted) for n in range(order)]
    lengths = Counter(map(len, lists))
    return math.fsum(bleu(own, len(found), lengths, most) for own, found in zip(counted, lists, strict=True)) / len(
        lists
    )


def tops(counts: Iterable[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int]]:
    """For each n-gram the largest two of its counts: the most that one of the others has is the first of them, or where it is
    one's own, the second."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for one in counts:
        for gram, count in one.items():
            first, second = found.get(gram, (0, 0))
            found[gram] = (count, first) if count > first else (first, max(second, count))
    return found


def bleu(
    own: Sequence[Counter[tuple[str, ...]]],
    length: int,
    lengths: Mapping[int, int],
    most: Sequence[Mapping[tuple[str, ...], tuple[int, int]]],
) -> float:
    """Of a text against all others. own: its n-grams, by order; lengths: how many texts there are of each; most: see `tops`."""
    others = [one for one, count in lengths.items() if count > (one == length)]
    nearest = min(others, key=lambda one: (abs(one - length), one))
    logs = []
    for n, counts in enumerate(own):
        matched = 0
        for gram, count in counts.items():
            first, second = most[n][gram]
            matched += min(count, second if count == first else first)
        smooth = 1 if n else 0
        total = sum(counts.values())
        if matched + smooth == 0 or total + smooth == 0:
            return 0.0
        logs.append(math.log((matched + smooth) / (total + smooth)))
    brevity = 1.0 if length > nearest else math.exp(1 - nearest / length)
    return brevity * math.exp(math.fsum(logs) / len(logs))


def rouge_l(texts: Iterable[str]) -> float | None:
    """Homogenisation by ROUGE-L (Padmakumar and He 2024): the mean over pairs of the F-measure of their longest common
    subsequence of words, in [0, 1]; less is more diverse. Of very many texts, over PAIRS pairs drawn at random."""
    lists = [found for text in texts if (found := words(text))]
    if len(lists) * (len(lists) - 1) // 2 <= PAIRS:
        pairs = [(one, two) for at, one in enumerate(lists) for two in lists[at + 1 :]]
    else:
        dice = random.Random(0)
        pairs = [(one, two) for one, two in (dice.sample(lists, 2) for _ in range(PAIRS))]
    if not pairs:
        return None
    return math.fsum(2 * common(one, two) / (len(one) + len(two)) for one, two in pairs) / len(pairs)


def common(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence, by bits (Hyyrö 2004): a column of the table is one integer."""
    where: dict[str, int] = {}
    for at, word in enumerate(one):
        where[word] = where.get(word, 0) | 1 << at
    whole = (1 << len(one)) - 1
    row = whole
    for word in two:
        matches = row & where.get(word, 0)
        row = (row + matches | row - matches) & whole
    return len(one) - row.bit_count()


def compression(texts: Iterable[str]) -> float | None:
    """Compression ratio (Shaib et al. 2024): bytes of all texts, a line each, over their bytes after gzip. From about 1; less is
    more diverse. Short texts compress badly, so compare lists of about equal length."""
    joined = "\n".join(" ".join(text.split()) for text in texts).encode()
    return len(joined) / len(gzip.compress(joined, 9, mtime=0)) if joined else None


METRICS: dict[str, Callable[[Sequence[str]], float | None]] = {
    "distinct-1": functools.partial(distinct, n=1),
    "distinct-2": functools.partial(distinct, n=2),
    "ead": expectation_adjusted,
    "self-bleu": self_bleu,
    "rouge-l": rouge_l,
    "compression": compression,
}
LESS = {"self-bleu", "rouge-l", "compression"}  # smaller is more diverse


def lexical(texts: Sequence[str]) -> dict[str, float | None]:
    """All of them by name."""
    return {name: metric(texts) for name, metric in METRICS.items()}
