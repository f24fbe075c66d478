"""The frontier of quality and diversity: how much of it each method covers, and how much of it each one is.

Both depend on what is compared: points are put between 0 and 1 by the whole pool's extremes, and the frontier is the pool's. The
definitions are our reading of arXiv 2511.05650, whose own code could not be read.
"""

import math
from dataclasses import dataclass

import numpy as np

from baco_local.lab.points import DIVERSITY, LEXICAL, Points

GROUPS = ("lexical", "semantic", "overall")
AT_ONCE = 50  # draws
FEW = 5  # prompts: resamples of fewer are no measure of anything


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, and the interval in which 95 of 100 draws of prompts put it; NaN where there are too few prompts for one."""

    value: float
    low: float
    high: float

    def record(self) -> list[float | None]:
        return [None if math.isnan(one) else round(one, 4) for one in (self.value, self.low, self.high)]

    def said(self, form: str = "{:.3f}") -> str:
        """The interval."""
        return "-" if math.isnan(self.low) else f"{form.format(self.low)} to {form.format(self.high)}"


@dataclass(frozen=True, slots=True)
class Frontier:
    """methods; coverage and dominance: (draws, methods, 3), for lexical, semantic and overall; the first draw is every prompt
    once, the others are resampled. diversity, quality: (draws, settings, metrics) normalised; share: (draws, settings)."""

    methods: tuple[str, ...]
    coverage: np.ndarray
    dominance: np.ndarray
    diversity: np.ndarray
    quality: np.ndarray
    share: np.ndarray

    def figure(self, what: str, method: str, group: str) -> Figure:
        values = {"coverage": self.coverage, "dominance": self.dominance}[what]
        return figure(values[:, self.methods.index(method), GROUPS.index(group)])


def figure(values: np.ndarray) -> Figure:
    """values: (draws,), of which the first is the value itself."""
    low, high = np.percentile(values[1:], [2.5, 97.5]) if len(values) > 1 else (math.nan, math.nan)
    return Figure(float(values[0]), float(low), float(high))


def frontier(points: Points, draws: int = 1000, seed: int = 0) -> Frontier:
    """Coverage and Dominance of every method, averaged over the sub-spaces of each quality with each metric of diversity; overall is
    the mean of the two groups. draws: resamples of the prompts, with replacement; none of fewer than FEW."""
    weights = resamples(len(points.prompts), draws if len(points.prompts) >= FEW else 0, seed)
    diversity, quality = (normalised(means) for means in points.means(weights))
    methods = points.methods
    whose = [points.of(method) for method in methods]
    spaces = [(d, q) for d in range(len(DIVERSITY)) for q in range(len(points.qualities))]
    cover, part = (np.zeros((len(weights), len(methods), len(spaces))) for _ in range(2))
    for space, (d, q) in enumerate(spaces):
        across, up = quality[:, :, q], diversity[:, :, d]
        best = undominated(across, up)
        for at, own in enumerate(whose):
            cover[:, at, space] = hypervolume(across[:, own], up[:, own])
            part[:, at, space] = best[:, own].sum(axis=1) / best.sum(axis=1)
    group = np.array([DIVERSITY[d] in LEXICAL for d, _ in spaces])
    return Frontier(methods, grouped(cover, group), grouped(part, group), diversity, quality, points.shares(weights))


def resamples(prompts: int, draws: int, seed: int) -> np.ndarray:
    """(1 + draws, prompts): how often each prompt counts; the first row is once each."""
    random = np.random.default_rng(seed)
    found = random.multinomial(prompts, np.full(prompts, 1 / prompts), size=draws).astype(float)
    return np.vstack([np.ones((1, prompts)), found])


def normalised(means: np.ndarray) -> np.ndarray:
    """(draws, settings, metrics) from 0, the pool's least, to 1, its most; 0 where all are alike, or nothing is known."""
    low = np.where(np.isnan(means), np.inf, means).min(axis=1, keepdims=True)
    high = np.where(np.isnan(means), -np.inf, means).max(axis=1, keepdims=True)
    known = (high > low) & ~np.isnan(means)
    return np.asarray(np.divide(means - low, high - low, out=np.zeros_like(means), where=known))


def hypervolume(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(draws,): the area between the origin and the points of each draw. Both (draws, points), from 0."""
    order = np.argsort(-across, axis=1, kind="stable")
    across, up = np.take_along_axis(across, order, 1), np.take_along_axis(up, order, 1)
    steps = across - np.hstack([across[:, 1:], np.zeros((len(across), 1))])
    return np.asarray((steps * np.maximum.accumulate(up, axis=1)).sum(axis=1))


def undominated(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(draws, points) bool: no other point is as good in both and better in one."""
    found = np.empty(across.shape, bool)
    for at in range(0, len(across), AT_ONCE):
        a, u = across[at : at + AT_ONCE], up[at : at + AT_ONCE]
        as_good = (a[:, None, :] >= a[:, :, None]) & (u[:, None, :] >= u[:, :, None])
        better = (a[:, None, :] > a[:, :, None]) | (u[:, None, :] > u[:, :, None])
        found[at : at + AT_ONCE] = ~(as_good & better).any(axis=2)
    return found


def grouped(values: np.ndarray, lexical: np.ndarray) -> np.ndarray:
    """(draws, methods, spaces) to (draws, methods, 3)."""
    one, two = values[:, :, lexical].mean(axis=2), values[:, :, ~lexical].mean(axis=2)
    return np.stack([one, two, (one + two) / 2], axis=2)


def axes(found: Frontier, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """(draws, settings, 2) diversity, lexical and semantic, and (draws, settings) quality: normalised, averaged over metrics."""
    lexical = np.array([name in LEXICAL for name in DIVERSITY])
    pair = [found.diversity[:, :, lexical].mean(axis=2), found.diversity[:, :, ~lexical].mean(axis=2)]
    return np.stack(pair, axis=2), found.quality.mean(axis=2)


@dataclass(frozen=True, slots=True)
class Ordering:
    """A claim, and by how much it holds here. holds: yes, no, or open, where the interval has both signs in it."""

    claim: str
    difference: Figure

    @property
    def holds(self) -> str:
        return "yes" if self.difference.low > 0 else "no" if self.difference.high < 0 else "open"


SINGLE, RULES = ("p", "h"), ("punc", "fc")
BEST, COIN = "p-punc", "rand"


def orderings(found: Frontier, points: Points) -> list[Ordering]:
    """What the paper reports, as far as this pool can tell."""
    overall = dict(zip(found.methods, found.coverage[:, :, 2].T, strict=True))
    families = [name for name in SINGLE if name in overall and any(f"{name}-{rule}" in overall for rule in RULES)]
    single = [overall[name] for name in families]
    combined = [overall[f"{name}-{rule}"] for name in families for rule in RULES if f"{name}-{rule}" in overall]
    claims: list[tuple[str, np.ndarray]] = []
    if single and combined:
        claims.append(("combined routers cover more than single ones", np.mean(combined, 0) - np.mean(single, 0)))
    if BEST in overall and COIN in overall:
        claims.append((f"{BEST} covers more than {COIN}", overall[BEST] - overall[COIN]))
        diversity, quality = axes(found, points)
        for name, values in (("more diverse", diversity.mean(axis=2)), ("better", quality)):
            if (matched := at_matched_share(found, points, values)) is not None:
                claims.append((f"{BEST} is {name} than {COIN} at the same base share", matched))
    for one, two in ((BEST, "nudging"), ("nudging", "aligned"), ("nudging", "base"), (BEST, "aligned"), (BEST, "base")):
        if one in overall and two in overall:
            claims.append((f"{one} covers more than {two}", overall[one] - overall[two]))
    return [Ordering(claim, figure(values)) for claim, values in claims]


def at_matched_share(found: Frontier, points: Points, values: np.ndarray) -> np.ndarray | None:
    """(draws,): by how much p-punc's settings are above rand's path at their own base shares, on average; None where the shares
    don't meet. values: (draws, settings)."""
    one, two = points.of(BEST), points.of(COIN)
    low, high = found.share[0, two].min(), found.share[0, two].max()
    inside = [at for at in one if low <= found.share[0, at] <= high]
    if not inside:
        return None
    differences = []
    for share, value in zip(found.share, values, strict=True):
        order = two[np.argsort(share[two])]
        differences.append(np.mean([value[at] - np.interp(share[at], share[order], value[order]) for at in inside]))
    return np.array(differences)
