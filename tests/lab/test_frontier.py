"""Coverage and Dominance, against areas and frontiers that can be counted on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco_local.lab.frontier import (
    figure,
    frontier,
    hypervolume,
    normalised,
    orderings,
    resamples,
    undominated,
)
from baco_local.lab.points import DIVERSITY, LEXICAL, Points, weighted

COORDINATE = st.integers(0, 20).map(lambda n: n / 20)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([(1.0, 1.0)], 1.0),
        ([(0.5, 0.5)], 0.25),
        ([(1.0, 0.25), (0.5, 1.0)], 0.5 * 1.0 + 0.5 * 0.25),
        ([(1.0, 0.25), (0.5, 1.0), (0.4, 0.9)], 0.5 * 1.0 + 0.5 * 0.25),  # a dominated one adds nothing
        ([(0.0, 1.0), (1.0, 0.0)], 0.0),
        ([(0.5, 0.5), (0.5, 0.75)], 0.375),
    ],
)
def test_coverage_is_an_area(points: list[tuple[float, float]], area: float) -> None:
    across, up = np.array(points).T
    assert hypervolume(across[None], up[None])[0] == pytest.approx(area)


@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=8))
def test_coverage_is_the_share_of_a_grid_below_the_points(points: list[tuple[float, float]]) -> None:
    across, up = np.array(points).T
    cells = (np.arange(20) + 0.5) / 20
    covered = ((across[:, None, None] >= cells[None, :, None]) & (up[:, None, None] >= cells[None, None, :])).any(
        axis=0
    )
    assert hypervolume(across[None], up[None])[0] == pytest.approx(covered.mean())


def test_the_frontier_has_no_point_that_another_beats() -> None:
    across = np.array([[1.0, 0.5, 0.4, 0.5, 0.0, 1.0]])
    up = np.array([[0.2, 0.8, 0.8, 0.7, 1.0, 0.2]])
    assert undominated(across, up).tolist() == [[True, True, False, False, True, True]]  # twins stay both


def made(quality: dict[str, list[float]], diversity: dict[str, list[float]], prompts: int = 6) -> Points:
    """Every prompt alike but for a little noise; every metric of diversity the same."""
    settings = tuple((method, float(at)) for method, values in quality.items() for at in range(len(values)))
    q = np.array([value for values in quality.values() for value in values])
    d = np.array([value for values in diversity.values() for value in values])
    noise = np.random.default_rng(1).normal(0, 0.001, (len(settings), prompts))
    share = np.array([at / 4 for _, at in settings])
    tokens = np.full((len(settings), prompts), 100.0)
    return Points(
        settings,
        tuple("abcdefghij"[:prompts]),
        ("one", "two"),
        (d[:, None] + noise)[:, :, None] * np.ones(len(DIVERSITY)),
        (q[:, None] + noise)[:, :, None] * np.ones(2),
        tokens,
        tokens * share[:, None],
    )


def test_methods_get_what_is_theirs() -> None:
    points = made({"p-punc": [0.0, 1.0], "rand": [0.0, 0.5]}, {"p-punc": [1.0, 0.6], "rand": [0.5, 0.3]})
    found = frontier(points, draws=200)
    best, coin = (found.figure("coverage", name, "overall") for name in ("p-punc", "rand"))
    assert best.value == pytest.approx((0.6 - 0.3) / 0.7, abs=0.01)
    assert coin.value == pytest.approx(0.0, abs=0.01)
    assert best.low <= best.value <= best.high
    assert found.figure("dominance", "p-punc", "lexical").value == 1.0
    assert found.figure("dominance", "rand", "overall").value == 0.0
    total = found.dominance[0].sum(axis=0)
    assert total == pytest.approx([1, 1, 1])


def test_overall_is_the_mean_of_the_groups_and_not_of_the_metrics() -> None:
    points = made({"p": [0.0, 1.0], "h": [0.2, 0.8]}, {"p": [1.0, 0.0], "h": [0.8, 0.4]})
    points.diversity[:, :, len(LEXICAL) :] *= -1  # the other way round
    found = frontier(points, draws=1)
    lexical, semantic, overall = found.coverage[0].T
    assert not np.allclose(lexical, semantic)
    assert overall == pytest.approx((lexical + semantic) / 2)


def test_what_holds_is_said_with_its_interval() -> None:
    points = made(
        {"p": [0.1, 0.9], "p-punc": [0.2, 1.0], "rand": [0.0, 0.8], "aligned": [0.9, 0.95]},
        {"p": [0.9, 0.1], "p-punc": [1.0, 0.3], "rand": [0.8, 0.0], "aligned": [0.0, 0.02]},
    )
    found = {one.claim: one for one in orderings(frontier(points, draws=100), points)}
    assert found["combined routers cover more than single ones"].holds == "yes"
    assert found["p-punc covers more than aligned"].holds == "yes"
    assert found["p-punc is more diverse than rand at the same base share"].difference.value == pytest.approx(
        0.25, abs=0.01
    )
    assert "nudging covers more than base" not in found
    assert figure(np.array([0.0, -1.0, 1.0])).low < 0


def test_shares_that_do_not_meet_are_not_matched() -> None:
    points = made({"p-punc": [0.2, 1.0], "rand": [0.0, 0.8]}, {"p-punc": [1.0, 0.3], "rand": [0.8, 0.0]})
    points.base[points.of("rand")] = 90.0
    claims = [one.claim for one in orderings(frontier(points, draws=100), points)]
    assert claims == ["p-punc covers more than rand"]


def test_families_are_compared_with_their_own() -> None:
    path = {"p": [0.1, 0.9], "h-punc": [0.2, 1.0]}
    points = made(path, {"p": [0.9, 0.1], "h-punc": [1.0, 0.3]})
    assert orderings(frontier(points, draws=100), points) == []


def test_resampled_prompts_and_means_of_what_is_known() -> None:
    weights = resamples(5, 100, seed=3)
    assert weights.shape == (101, 5)
    assert (weights.sum(axis=1) == 5).all()
    assert (weights[0] == 1).all()
    assert (weights == resamples(5, 100, seed=3)).all()
    values = np.array([[[1.0], [np.nan], [3.0]]])  # one setting, three prompts, one metric
    assert weighted(values, np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0], [0.0, 3.0, 0.0]])).ravel().tolist()[:2] == [
        2,
        3,
    ]
    assert np.isnan(weighted(values, np.array([[0.0, 3.0, 0.0]]))).all()
    assert normalised(np.array([[[2.0], [2.0]]])).tolist() == [[[0.0], [0.0]]]
    assert normalised(np.array([[[2.0], [np.nan], [4.0]]])).ravel().tolist() == [0, 0, 1]  # unknown counts as the least
