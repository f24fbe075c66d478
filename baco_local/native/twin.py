"""The kernel in plain numpy: what kernel.c, draw.c and route.c compute, for machines without a compiler and for checking it.

Both give the same token for the same random number, up to the last bits of a sum: where
the number falls within about 1e-6 of the border between two tokens they may differ.
"""

import ctypes
from collections.abc import Sequence

import numpy as np

from baco_local.native import layout as L

FLOAT_MAX = np.finfo(np.float32).max


def serve(
    classes: Sequence[np.ndarray], settings: np.void, jobs: np.ndarray, ids: np.ndarray, counts: np.ndarray
) -> None:
    """Fills in the result fields of every job.

    classes: per side, (n_vocab,) uint8; settings: one `SETTINGS`; jobs: (n,) `JOB`; ids, counts:
    (m,) int32, the penalised tokens of all jobs.
    """
    for job in jobs:
        first = int(job["penalised"])
        part = slice(first, first + int(job["n_penalised"]))
        own = classes[int(job["side"])]
        row = np.ctypeslib.as_array((ctypes.c_float * len(own)).from_address(int(job["row"])))
        with np.errstate(over="ignore", invalid="ignore"):  # between the largest floats there
            serve_one(row, own, settings, job, ids[part], counts[part])


def serve_one(
    row: np.ndarray,
    classes: np.ndarray,
    settings: np.void,
    job: np.void,
    ids: np.ndarray,
    counts: np.ndarray,
) -> None:
    job["token"] = job["top"] = -1
    job["speaker"] = L.UNROUTED
    job["starts"] = 0
    job["p"] = job["top_p"] = job["entropy"] = 0.0
    if job["action"] == L.READ:
        job["p"] = row.sum(dtype=np.float64)
        return
    row = usable(row)
    top = int(np.argmax(row))
    if row[top] == -np.inf:
        return
    job["top"] = top
    action, flags = int(job["action"]), int(job["flags"])
    if action in (L.DRAW_ROUTE, L.ROUTE_DRAW):
        job["top_p"], job["entropy"] = statistics(row)
    if action == L.LOOK:
        return
    if action == L.ROUTE_DRAW:
        job["speaker"] = route(settings, job, classes)
        if job["speaker"] == L.ALIGNED:
            return
    restricted = bool(flags & L.RESTRICT and not flags & L.OPEN)
    if restricted or len(ids):
        row = penalised(row, settings, ids, counts)
        if restricted:
            row = np.where(classes & L.STARTS, row, np.float32(-np.inf))
        if row.max() == -np.inf:
            return
    job["token"], job["p"] = draw(row, settings, float(job["u_draw"]))
    starts = bool(flags & L.OPEN or classes[job["token"]] & L.STARTS)
    job["starts"] = starts and not flags & L.UNFINISHED
    if action == L.DRAW_ROUTE and job["starts"]:
        job["speaker"] = route(settings, job, classes)


def usable(row: np.ndarray) -> np.ndarray:
    """NaN counts as -inf; where a model overflowed, its infinities share the whole mass."""
    if np.isposinf(row).any():
        return np.where(np.isposinf(row), FLOAT_MAX, np.float32(-np.inf))
    return np.where(np.isnan(row), np.float32(-np.inf), row) if np.isnan(row).any() else row


def statistics(row: np.ndarray) -> tuple[float, float]:
    """Largest probability and entropy in nats of softmax(row)."""
    d = row - row.max()
    e = np.exp(d)
    total = e.sum(dtype=np.float64)
    slope = np.where(e > 0, e * np.where(e > 0, d, 0), 0).sum(dtype=np.float64)
    return 1 / total, np.log(total) - slope / total


def penalised(row: np.ndarray, settings: np.void, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
    row = row.copy()
    inside = (ids >= 0) & (ids < len(row))
    ids, counts = ids[inside], counts[inside]
    x, repeat = row[ids], np.float32(settings["repeat"])
    x = np.where(x > 0, x / repeat, x * repeat)
    x = x - (counts * settings["frequency"] + settings["presence"]).astype(np.float32)
    row[ids] = np.minimum(x, FLOAT_MAX)
    return row


def draw(row: np.ndarray, settings: np.void, u: float) -> tuple[int, float]:
    """One token by inverse transform, in order of id, after top-k, top-p, min-p, temperature."""
    top = row.max()
    if settings["temperature"] < 1e-4:
        return int(np.argmax(row)), 1.0
    kept = np.arange(len(row))
    if 0 < settings["top_k"] < len(row):
        kept = np.sort(falling(row, kept)[: settings["top_k"]])
    if settings["top_p"] < 1:
        order = falling(row, kept)
        mass = np.exp(row[order] - top).cumsum(dtype=np.float64)
        count = int(np.searchsorted(mass, settings["top_p"] * mass[-1])) + 1
        kept = np.sort(order[:count])
    if settings["min_p"] > 0:
        kept = kept[row[kept] >= top + np.float32(np.log(settings["min_p"]))]
    d = (row[kept] - top) * np.float32(1 / settings["temperature"])
    weights = np.where(d > -87, np.exp(d), 0)  # below, float32 runs out of normal numbers
    mass = weights.cumsum(dtype=np.float64)
    i = int(np.searchsorted(mass, u * mass[-1], side="right"))
    if i >= len(kept):
        i = int(np.flatnonzero(weights)[-1])
    return int(kept[i]), float(weights[i] / mass[-1])


def falling(row: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """`kept` in order of falling logit, ties by rising id."""
    return kept[np.argsort(-row[kept], kind="stable")]


def fires(settings: np.void, top: int, classes: np.ndarray, is_open: bool) -> bool:
    """The content rule on a top token: does it leave this place to aligned?"""
    if settings["content"] == L.PUNC:
        return bool(classes[top] & L.FORMAT)
    starts = is_open or classes[top] & L.STARTS
    return bool(settings["content"] == L.FC and classes[top] & L.FUNCTION and starts)


def route(settings: np.void, job: np.void, classes: np.ndarray) -> int:
    source, threshold = settings["content_source"], settings["threshold"]
    is_open = bool(job["flags"] & L.OPEN)
    if source != L.FROM_ALIGNED and fires(settings, int(job["top"]), classes, is_open):
        return L.ALIGNED
    if settings["content"] != L.NO_CONTENT and source != L.FROM_BASE and job["flags"] & L.FORMATTED:
        return L.ALIGNED
    base_speaks = {
        L.ALWAYS: True,
        L.NEVER: False,
        L.P: job["top_p"] < threshold,
        L.H: job["entropy"] > threshold,
        L.RAND: job["u_route"] < threshold,
        L.NUDGING: job["top_p"] >= threshold,
    }[int(settings["rule"])]
    return L.BASE if base_speaks else L.ALIGNED
