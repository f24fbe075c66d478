"""The C kernel against its numpy twin, at every instruction set this machine has."""

import ctypes
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from compiler import needs_compiler
from hypothesis import given, settings
from hypothesis import strategies as st

from baco_local.native import layout as L
from baco_local.native import twin
from baco_local.native.kernel import Kernel, addresses, library

LEVELS = ["avx512", "avx2", "baseline"]
NONE = np.zeros(0, np.int32)

floats = st.one_of(
    st.floats(-30, 30, width=32),
    st.sampled_from([0.0, 1.0, -1.0, 12.5, np.nan, -np.inf, np.inf, 3e38, -3e38, 1e-40]),
)


@pytest.fixture(autouse=True)
def free_choice() -> Iterator[None]:
    before = os.environ.pop("BACO_LOCAL_KERNEL", None)
    yield
    os.environ.pop("BACO_LOCAL_KERNEL", None)
    if before:
        os.environ["BACO_LOCAL_KERNEL"] = before


def run(
    level: str, logits: np.ndarray, classes: np.ndarray, options: np.ndarray, jobs: np.ndarray, ids: np.ndarray = NONE,
    counts: np.ndarray = NONE,
) -> None:  # fmt: skip
    """The jobs over the first row of logits, as those of the second of two models."""
    os.environ["BACO_LOCAL_KERNEL"] = level
    jobs["row"], jobs["side"] = addresses(logits)[0], 1
    Kernel([np.zeros(7, np.uint8), classes], threads=2).serve(options, jobs, ids, counts)


@st.composite
def cases(draw: Any) -> dict[str, Any]:
    """A row, the classes of its entries, settings and a job."""
    n = draw(st.sampled_from([1, 2, 15, 16, 17, 64, 1000, 1024, 1025, 5000]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    spread = draw(st.sampled_from([0.0, 0.01, 1.0, 5.0, 40.0]))
    row = rng.normal(0, spread, n).astype(np.float32)
    if draw(st.booleans()):
        row = np.round(row)  # ties
    for place, value in draw(st.dictionaries(st.integers(0, n - 1), floats, max_size=8)).items():
        row[place] = value
    options = np.zeros(1, L.SETTINGS)
    options["temperature"] = draw(st.sampled_from([0.0, 0.001, 0.3, 1.0, 1.7, 10.0]))
    options["top_k"] = draw(st.sampled_from([0, 0, 1, 2, 40, 3000]))
    options["top_p"] = draw(st.sampled_from([1.0, 1.0, 0.0, 0.1, 0.9, 0.999]))
    options["min_p"] = draw(st.sampled_from([0.0, 0.0, 0.05, 0.9, 1.0]))
    options["repeat"] = draw(st.sampled_from([1.0, 1.3, 0.8]))
    options["frequency"], options["presence"] = draw(st.sampled_from([(0.0, 0.0), (0.5, 0.2), (-0.3, 0.0)]))
    options["rule"] = draw(st.integers(0, 5))
    options["content"] = draw(st.integers(0, 2))
    options["content_source"] = draw(st.integers(0, 2))
    options["threshold"] = draw(st.sampled_from([0.0, 0.2, 0.5, 1.0, 3.0]))
    ids = np.array(draw(st.lists(st.integers(0, n), max_size=5, unique=True)), np.int32)
    job = np.zeros(1, L.JOB)
    job["action"] = draw(st.integers(0, 3))
    job["flags"] = draw(st.integers(0, 15))
    job["u_draw"] = draw(st.floats(2.0**-53, 1, exclude_max=True))
    job["u_route"] = draw(st.floats(0, 1, exclude_max=True))
    job["n_penalised"] = len(ids)
    return {
        "row": row,
        "classes": rng.integers(0, 16, n).astype(np.uint8),
        "settings": options,
        "job": job,
        "ids": ids,
        "counts": np.ones(len(ids), np.int32) * 2,
    }


def serve(level: str, case: dict[str, Any], **changes: float) -> np.void:
    job, options = case["job"].copy(), case["settings"].copy()
    for name, value in changes.items():
        (job if name in (L.JOB.names or ()) else options)[name] = value
    logits = case["row"][None, :].copy()
    run(level, logits, case["classes"], options, job, case["ids"], case["counts"])
    return job[0]


def near(case: dict[str, Any]) -> list[np.void]:
    """What the twin finds when the random number or a cut moves by as much as rounding may move it."""
    u, top_p = float(case["job"]["u_draw"][0]), float(case["settings"]["top_p"][0])
    moved = []
    for step in (-3e-6, -1e-5 * u, 0, 1e-5 * u, 3e-6):
        for cut in (-3e-6, 0, 3e-6):
            inside = {"u_draw": min(max(u + step, 0.0), np.nextafter(1, 0)), "top_p": top_p + cut if top_p < 1 else 1.0}
            moved.append(serve("numpy", case, **inside))
    return moved


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=400, deadline=None)
@given(case=cases())
def test_same_tokens_and_figures(level: str, case: dict[str, Any]) -> None:
    found, wanted = serve(level, case), serve("numpy", case)
    assert found["top"] == wanted["top"]
    assert found["top_p"] == pytest.approx(wanted["top_p"], rel=1e-4, abs=1e-7)
    assert found["entropy"] == pytest.approx(wanted["entropy"], rel=1e-4, abs=2e-4)
    if found["token"] != wanted["token"]:
        assert found["token"] in [other["token"] for other in near(case)]
        return
    if found["p"] != pytest.approx(wanted["p"], rel=2e-3, abs=1e-6):  # one token more, or less, inside the cut
        assert any(found["p"] == pytest.approx(other["p"], rel=2e-3, abs=1e-6) for other in near(case))
    assert found["starts"] == wanted["starts"]
    threshold, rule = float(case["settings"]["threshold"][0]), int(case["settings"]["rule"][0])
    figure = {L.P: wanted["top_p"], L.NUDGING: wanted["top_p"], L.H: wanted["entropy"]}.get(rule)
    if figure is None or abs(figure - threshold) > 3e-4:
        assert found["speaker"] == wanted["speaker"]


@pytest.mark.parametrize("level", [*LEVELS, "numpy"])
def test_whole_vocabulary_draw_is_exact(level: str) -> None:
    """Evenly spread random numbers must hit every token as often as its probability says."""
    rng = np.random.default_rng(5)
    row = rng.normal(0, 2, 3000).astype(np.float32)
    p = np.exp(row - row.max(), dtype=np.float64)
    p /= p.sum()
    draws = 20_000 if level != "numpy" else 4_000
    jobs = np.zeros(draws, L.JOB)
    jobs["u_draw"] = (np.arange(draws) + 0.5) / draws
    options = np.zeros(1, L.SETTINGS)
    options["temperature"] = options["top_p"] = options["repeat"] = 1
    run(level, row[None, :], np.zeros(3000, np.uint8), options, jobs)
    counts = np.bincount(jobs["token"], minlength=3000)
    assert np.abs(counts - draws * p).max() <= 1.01 + draws * 1e-5
    assert jobs["p"] == pytest.approx(p[jobs["token"]], rel=1e-4)


@pytest.mark.parametrize("level", [*LEVELS, "numpy"])
def test_nothing_usable_draws_nothing(level: str) -> None:
    for value in (np.nan, -np.inf):
        job = np.zeros(1, L.JOB)
        options = np.zeros(1, L.SETTINGS)
        options["temperature"] = options["top_p"] = 1
        row = np.full((1, 100), value, np.float32)
        run(level, row, np.zeros(100, np.uint8), options, job)
        assert job["token"][0] == job["top"][0] == -1


def test_rows_of_both_models_in_one_call() -> None:
    rng = np.random.default_rng(3)
    os.environ["BACO_LOCAL_KERNEL"] = "c"
    rows = [rng.normal(0, 3, (5, n)).astype(np.float32) for n in (1000, 4000)]
    classes = [rng.integers(0, 16, n).astype(np.uint8) for n in (1000, 4000)]
    options = np.zeros(1, L.SETTINGS)
    options["temperature"] = options["top_p"] = options["repeat"] = 1
    jobs = np.zeros(10, L.JOB)
    jobs["side"], jobs["action"] = np.repeat([0, 1], 5), L.DRAW_ROUTE
    jobs["row"] = np.concatenate([addresses(part) for part in rows])
    jobs["u_draw"] = rng.random(10)
    alone = jobs.copy()
    Kernel(classes, threads=2).serve(options, jobs, NONE, NONE)
    for at in range(10):
        Kernel(classes).serve(options, alone[at : at + 1], NONE, NONE)
    assert (jobs == alone).all()
    assert (jobs["token"][5:] > 1000).any()


def test_rows_that_do_not_lie_in_memory_as_the_kernel_reads_them_are_refused() -> None:
    for rows in (np.zeros((2, 8)), np.zeros((2, 8), np.float32)[:, ::2]):
        with pytest.raises(ValueError, match="contiguous"):
            addresses(rows)


@needs_compiler
def test_the_library_is_built_and_its_layout_is_ours() -> None:
    lib = library()
    assert lib is not None, "the C kernel is not built; install with a C compiler"
    job, options = ctypes.c_int(), ctypes.c_int()
    lib.baco_kernel_layout(ctypes.byref(job), ctypes.byref(options))
    assert (job.value, options.value) == (L.JOB.itemsize, L.SETTINGS.itemsize)
    jobs = np.zeros(1, L.JOB)
    L.ASKED.pack_into(memoryview(jobs).cast("B"), 0, 1, 2, 3, 4, 5, 6, 7.0, 8.0)
    L.FOUND.pack_into(memoryview(jobs).cast("B"), L.FOUND_AT, 9.0, 10.0, 11.0, 12, 13, 14, 15)
    assert list(jobs[0].tolist()) == list(range(1, 16))


def test_statistics_of_a_known_row() -> None:
    row = np.log(np.array([0.5, 0.25, 0.25], np.float32))
    top_p, entropy = twin.statistics(row)
    assert top_p == pytest.approx(0.5)
    assert entropy == pytest.approx(1.5 * np.log(2))


@pytest.mark.parametrize("level", [*LEVELS, "numpy"])
@pytest.mark.parametrize("top", [1e8, 3e8, 1e9, 2e9, 3e38])
def test_huge_logits_end(level: str, top: float) -> None:
    """Where ten less than the largest logit is the same number."""
    row = np.zeros((1, 300), np.float32)
    row[0, 7] = top
    job, options = np.zeros(1, L.JOB), np.zeros(1, L.SETTINGS)
    options["temperature"], options["top_p"], options["top_k"] = 1, 0.9, 40
    run(level, row, np.zeros(300, np.uint8), options, job)
    assert job["token"][0] == 7
