"""The knob: one scale from 0 (aligned) to 1 (base), on which 0.3 means the same for every router of every calibrated pair.

Where it was measured which share of tokens base writes at which threshold, the knob is that share; beyond what was
measured it goes on to the router's own ends. Without a measurement it is the router's own scale (`Router.at`).
"""

from baco_local.catalog.entries import Calibration, PairEntry
from baco_local.collaboration.routers import Router
from baco_local.errors import UsageProblem

DIGITS = 4  # of a threshold: as many as are shown and typed
APART = 0.005  # of two measured shares, at least: a knob that turns must move


def threshold_at(entry: PairEntry, chosen: Router, diversity: float) -> float:
    """Raises UsageProblem for a router without a threshold, or a diversity outside [0, 1]."""
    found = entry.calibrations.get(chosen.name)
    own = chosen.at(diversity)
    if not found:
        return own
    return round(chosen.at(between(diversity, *reversed(scales(chosen, found)))), DIGITS)


def diversity_at(entry: PairEntry, chosen: Router, threshold: float) -> float:
    """Where a threshold stands on the knob: the other way round."""
    own = chosen.diversity(threshold)
    found = entry.calibrations.get(chosen.name)
    return between(own, *scales(chosen, found)) if found else own


def default_at(entry: PairEntry, chosen: Router) -> float | None:
    """The threshold recommended for this pair, or None: the router has one of its own. Raises UsageProblem for one that can't be."""
    found = entry.calibrations.get(chosen.name)
    try:
        return chosen.check(found.default) if found and chosen.limits else None
    except UsageProblem as problem:
        raise UsageProblem(f"[calibrations.{entry.name}] of models.toml: {problem}") from None


def scales(chosen: Router, found: Calibration) -> tuple[list[float], list[float]]:
    """Places on the router's own scale, and base's shares there: both rise from 0 to 1."""
    own, shares = [0.0], [0.0]
    for place, share in sorted(
        (chosen.diversity(threshold), share) for threshold, share in zip(found.thresholds, found.shares, strict=True)
    ):
        if own[-1] < place < 1:
            own.append(place)
            shares.append(min(1 - APART, max(share, shares[-1] + APART)))
    return [*own, 1.0], [*shares, 1.0]


def between(value: float, xs: list[float], ys: list[float]) -> float:
    """Piecewise linear. xs rise from 0 to 1."""
    at = max(1, next((at for at, x in enumerate(xs) if x >= value), len(xs) - 1))
    x, y = xs[at - 1], ys[at - 1]
    return ys[at] if value >= xs[at] else min(ys[at], y + (ys[at] - y) * (value - x) / (xs[at] - x))
