"""The semantic metrics against cases worked by hand, and the vectors that they are told of."""

import math

import numpy as np
import pytest

from baco_local.lab import semantic as sem

ONE, TWO, THREE = np.eye(3, dtype=np.float32)
HALF = np.array([0.5, math.sqrt(0.75), 0], np.float32)  # 60 degrees from ONE


def stack(*rows: np.ndarray) -> np.ndarray:
    return np.stack(rows)


def test_cosine_distance() -> None:
    assert sem.cosine_distance(stack(ONE, ONE)) == pytest.approx(0)
    assert sem.cosine_distance(stack(ONE, TWO, HALF)) == pytest.approx((1 + 0.5 + 1 - math.sqrt(0.75)) / 3, abs=1e-6)
    assert sem.cosine_distance(stack(ONE, -ONE)) == pytest.approx(2)


def test_vendi_counts_different_texts() -> None:
    assert sem.vendi(stack(ONE, ONE, ONE)) == pytest.approx(1)
    assert sem.vendi(stack(ONE, TWO, THREE)) == pytest.approx(3)
    assert sem.vendi(stack(ONE, ONE, TWO, TWO)) == pytest.approx(2)
    # two at 60 degrees: eigenvalues 3/4 and 1/4
    assert sem.vendi(stack(ONE, HALF)) == pytest.approx(math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))))


def test_remote_clique_and_chamfer() -> None:
    assert sem.remote_clique(stack(ONE, TWO)) == pytest.approx(math.sqrt(2))
    assert sem.remote_clique(stack(ONE, ONE, TWO)) == pytest.approx(4 * math.sqrt(2) / 6)
    assert sem.chamfer(stack(ONE, ONE, TWO)) == pytest.approx(1 / 3)  # the twins have each other
    assert sem.chamfer(stack(ONE, HALF, TWO)) == pytest.approx((0.5 + 2 * (1 - math.sqrt(0.75))) / 3, abs=1e-6)


def test_distinct_k_is_greedy_against_first_members() -> None:
    assert sem.distinct_k(stack(ONE, ONE, TWO)) == pytest.approx(2 / 3)
    assert sem.distinct_k(stack(ONE, HALF, TWO), 0.5) == pytest.approx(2 / 3)  # HALF joins ONE, TWO is far from ONE
    assert sem.distinct_k(stack(HALF, ONE, TWO), 0.5) == pytest.approx(1 / 3)  # both join HALF


@pytest.mark.parametrize("metric", sem.METRICS.values(), ids=sem.METRICS)
def test_one_text_is_neither(metric: object) -> None:
    assert callable(metric)
    assert metric(stack(ONE)) is None


def test_the_packaged_vectors() -> None:
    pytest.importorskip("wordllama")
    from baco_local.lab.vectors import NAME, embedder

    embed = embedder()
    assert embed.name == NAME
    vectors = embed(["a ship on the sea", "a boat on the ocean", "tax law reform", ""])
    assert vectors.shape == (4, 257)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 1], abs=1e-5)
    like = vectors @ vectors.T
    assert like[0, 1] > 0.5 > like[0, 2] + 0.2


def test_texts_without_words_are_one_idea_and_not_many() -> None:
    from baco_local.lab.semantic import semantic
    from baco_local.lab.vectors import embedder

    empty = semantic(embedder()(["", "  ", "\n", ""]))
    assert empty["cosine"] == pytest.approx(0)
    assert empty["vendi"] == pytest.approx(1)
    assert empty["distinct-k"] == 0.25
    mixed = semantic(embedder()(["a tide table", "", ""]))
    assert mixed["distinct-k"] == pytest.approx(2 / 3)
