"""What a sweep says of the knob: the share of tokens that base writes at each threshold of a router, and which threshold does best.

Best is the setting whose own area is largest: its quality times its diversity, both between 0 and 1 over the pool. Neighbours differ
by little, so it is the mean over draws of the prompts that decides, and how often it is the best one is said beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from baco_local.catalog.entries import Calibration
from baco_local.collaboration.routers import ROUTERS
from baco_local.errors import UsageProblem
from baco_local.lab.frontier import axes, frontier
from baco_local.lab.points import points_of
from baco_local.lab.relevance import relevance
from baco_local.lab.swept import Sweep
from baco_local.lab.vectors import Embedder

# With the routers they make the pool, whatever else was swept: answers of two sweeps are of one kind.
SINGLE = ("base", "aligned")
DRAWS = 400


@dataclass(frozen=True, slots=True)
class Measured:
    """calibration: of a router. certainty: the share of draws in which its default is the best setting; None of too few prompts."""

    calibration: Calibration
    certainty: float | None


def with_threshold() -> list[str]:
    return [name for name, router in ROUTERS.items() if router.limits]


def calibrations(sweep: Sweep, embedder: Embedder) -> Mapping[str, Measured]:
    """By router, of those that have a threshold; thresholds in the sweep's order. Raises UsageProblem where there is none."""
    if not sweep.prompts:
        raise UsageProblem("no prompt has all its ideas yet; go on with the sweep")
    scores = {
        (key, *setting): relevance(embedder, prompt, [str(idea["text"]) for idea in sweep.ideas[key, *setting]])
        for key, prompt in sweep.prompts.items()
        for setting in sweep.settings
    }
    points = points_of(sweep, embedder, {"relevance": scores}).only([*with_threshold(), *SINGLE])
    routers = [method for method in points.methods if method not in SINGLE]
    if not routers:
        raise UsageProblem("there is no router with a threshold in this sweep")
    found = frontier(points, DRAWS)
    diversity, quality = axes(found, points)
    areas = quality * diversity.mean(axis=2)  # (draws, settings)
    measured = {}
    for method in routers:
        own = points.of(method)
        thresholds = tuple(points.settings[at][1] for at in own)
        shares = tuple(round(float(share), 4) for share in found.share[0, own])
        best = int(np.argmax(areas[:, own].mean(axis=0)))
        certainty = round(float(np.mean(areas[1:, own].argmax(axis=1) == best)), 3) if len(areas) > 1 else None
        measured[method] = Measured(Calibration(thresholds, shares, thresholds[best]), certainty)
    return measured
