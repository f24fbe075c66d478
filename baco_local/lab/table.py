"""The figures of a report as plain text and as records: the same on a terminal, in the page and in a file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from baco_local.lab.frontier import GROUPS, Frontier, Ordering
from baco_local.lab.points import DIVERSITY, SIGNS, Points

WHATS = ("coverage", "dominance")


def rows(found: Frontier) -> list[list[str]]:
    """A heading, then a line per method, the one that covers most first."""
    ordered = sorted(found.methods, key=lambda method: -found.figure("coverage", method, "overall").value)
    heading = [
        "method",
        "Coverage: lexical",
        "semantic",
        "overall",
        "95 %",
        "Dominance: lexical",
        "semantic",
        "overall",
        "95 %",
    ]
    lines = [heading]
    for method in ordered:
        line = [method]
        for what in WHATS:
            figures = [found.figure(what, method, group) for group in GROUPS]
            form = "{:.3f}" if what == "coverage" else "{:.1%}"
            line += [form.format(one.value) for one in figures]
            line.append(figures[2].said(form))
        lines.append(line)
    return lines


def text(lines: list[list[str]]) -> str:
    """In columns."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def ordering_lines(orderings: list[Ordering]) -> list[str]:
    return [
        f"{one.holds:<4}  {one.claim}: {one.difference.value:+.3f} ({one.difference.said('{:+.3f}')})"
        for one in orderings
    ]


def record(points: Points, found: Frontier, orderings: list[Ordering], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything behind the table: the pool's raw points (means over prompts, in each metric's own direction), and what was made
    of them."""
    first = [[1.0] * len(points.prompts)]

    diversity, quality = points.means(np.array(first))
    return {
        **facts,
        "points": [
            {
                "method": method,
                "value": value,
                "base_share": round(float(found.share[0, at]), 4),
                "diversity": dict(zip(DIVERSITY, rounded(diversity[0, at] * SIGNS), strict=True)),
                "quality": dict(zip(points.qualities, rounded(quality[0, at]), strict=True)),
            }
            for at, (method, value) in enumerate(points.settings)
        ],
        "methods": {
            method: {what: {group: found.figure(what, method, group).record() for group in GROUPS} for what in WHATS}
            for method in found.methods
        },
        "orderings": [
            {"claim": one.claim, "holds": one.holds, "difference": one.difference.record()} for one in orderings
        ],
    }


def rounded(values: Any) -> list[float | None]:
    return [None if value != value else round(float(value), 5) for value in values]
