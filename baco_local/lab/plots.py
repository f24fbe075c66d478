"""The pictures of a report, as PNG bytes; drawn with matplotlib, which is in the extra `lab`."""

import importlib.util
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from baco_local import paths
from baco_local.collaboration.routers import ROUTERS
from baco_local.errors import UsageProblem
from baco_local.lab.frontier import Frontier, axes, undominated
from baco_local.lab.grid import WHOLE
from baco_local.lab.points import DIVERSITY, LEXICAL, Points
from baco_local.text import clean

# Okabe and Ito's colours, which colour-blind readers tell apart; a marker each for those who see none.
COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#7f7f00",
    "#000000",
    "#8c564b",
    "#999999",
    "#f0a3ff",
)
MARKERS = "os^Dv<>Pp*Xhd8"
DOTS_PER_INCH = 110


def demand() -> None:
    """Raises UsageProblem where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageProblem('the report needs the extra: pip install ".[lab]", in the copy of the repository')


def figure(columns: int, rows: int, width: float, height: float) -> tuple[Any, np.ndarray]:
    """A figure without a window, and its (rows, columns) axes."""
    os.environ.setdefault(
        "MPLCONFIGDIR", str(paths.made("cache", "matplotlib"))
    )  # where it remembers the fonts it found
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams["text.parse_math"] = False  # names are text
    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def png(drawn: Any) -> bytes:
    memory = io.BytesIO()
    drawn.savefig(memory, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return memory.getvalue()


def style(methods: Sequence[str], method: str) -> dict[str, Any]:
    at = methods.index(method)
    single = method.removesuffix(WHOLE) in ("base", "aligned")
    return {
        "color": COLOURS[at % len(COLOURS)],
        "marker": MARKERS[at % len(MARKERS)],
        "linestyle": "--" if single else "-",
        "markersize": 5,
        "linewidth": 1.4,
        "label": clean(method),
    }


def frontiers(points: Points, found: Frontier) -> bytes:
    """Quality against diversity, both as means of what is normalised over the pool: each method's settings, from safe to wild,
    are a path. The pool's frontier of these means is the grey line."""
    drawn, grid = figure(2, 1, 12, 5.6)
    diversity, quality = axes(found, points)
    across = quality[0]
    for place, (group, panel) in enumerate(zip(("lexical", "semantic"), grid[0], strict=True)):
        up = diversity[0, :, place]
        best = undominated(across[None], up[None])[0]
        order = np.argsort(across[best])
        panel.step(across[best][order], up[best][order], where="pre", color="#bbbbbb", linewidth=6, alpha=0.6, zorder=0)
        for method in points.methods:
            own = points.of(method)
            panel.plot(across[own], up[own], **style(points.methods, method))
            panel.plot(across[own[-1:]], up[own[-1:]], "o", markersize=11, fillstyle="none", color="#555555", zorder=0)
        panel.set(xlabel="quality (mean of " + clean(", ".join(points.qualities)) + ")", ylabel=f"{group} diversity")
        panel.grid(alpha=0.25)
    grid[0, 0].set_title("each method's settings; the ringed end is the wild one", fontsize=10, loc="left")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside right center", frameon=False)
    return png(drawn)


def spaces(points: Points, found: Frontier) -> bytes:
    """Every sub-space: a row for each metric of diversity, a column for each of quality."""
    drawn, grid = figure(len(points.qualities), len(DIVERSITY), 5 * len(points.qualities), 2.6 * len(DIVERSITY))
    for row, name in enumerate(DIVERSITY):
        for column, quality in enumerate(points.qualities):
            panel = grid[row, column]
            for method in points.methods:
                own = points.of(method)
                panel.plot(found.quality[0, own, column], found.diversity[0, own, row], **style(points.methods, method))
            panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
            panel.set_title(
                f"{name} ({'lexical' if name in LEXICAL else 'semantic'}) over {clean(quality)}", fontsize=9
            )
            panel.grid(alpha=0.25)
    return png(drawn)


def shares(points: Points, found: Frontier) -> bytes:
    """The share of base's words at each setting, against the knob of each router."""
    drawn, grid = figure(1, 1, 7.5, 4.6)
    panel = grid[0, 0]
    for method in points.methods:
        chosen = ROUTERS.get(method)
        if chosen and chosen.limits:
            own = points.of(method)
            knob = [chosen.diversity(points.settings[at][1]) for at in own]
            panel.plot(knob, found.share[0, own], **style(points.methods, method))
    panel.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, zorder=0)
    panel.set(xlabel="threshold, on a scale from 0 (aligned) to 1 (base)", ylabel="share of base's tokens")
    panel.grid(alpha=0.25)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False)
    return png(drawn)
