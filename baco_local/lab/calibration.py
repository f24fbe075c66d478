"""What a sweep says of the knob: the share of words that base writes at each threshold of a router, and which threshold does best.

Best is the setting whose own area is largest: its quality times its diversity, both between 0 and 1 over all that was swept.
"""

import numpy as np

from baco_local.catalog.entries import Calibration
from baco_local.collaboration.routers import ROUTERS
from baco_local.lab.frontier import Frontier, axes
from baco_local.lab.points import Points


def calibrations(points: Points, found: Frontier) -> dict[str, Calibration]:
    """By router, of those that have a threshold; thresholds in the sweep's order."""
    diversity, quality = axes(found, points)
    areas = quality[0] * diversity[0].mean(axis=1)
    calibrated = {}
    for method in points.methods:
        if method in ROUTERS and ROUTERS[method].limits:
            own = points.of(method)
            thresholds = tuple(points.settings[at][1] for at in own)
            shares = tuple(round(float(share), 4) for share in found.share[0, own])
            calibrated[method] = Calibration(thresholds, shares, thresholds[int(np.argmax(areas[own]))])
    return calibrated
