"""The accelerator's matrix products, held to exact arithmetic and, on the real pair, to llama.cpp's own."""

from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco_local.collaboration.prompts import build
from baco_local.collaboration.settings import Request
from baco_local.native import products
from baco_local.native.kernel import which
from baco_local.runtime.context import Context
from baco_local.runtime.llama import products_description
from baco_local.runtime.spans import Span, Work

KINDS = [products.Q4_1, products.Q5_0, products.Q8_0, products.Q6_K]
LEVELS = ["", "avx512", "avx2"]


def weights_of(kind: int, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """(n, bytes) uint8: n rows of k random weights, every bit in use."""
    if kind != products.Q6_K:
        return np.asarray(gguf.quantize(rng.normal(size=(n, k)).astype(np.float32), gguf.GGMLQuantizationType(kind)))
    blocks = rng.integers(0, 256, (n, k // 256, 210), dtype=np.uint8)
    blocks[..., 208:] = rng.uniform(1e-3, 1e-2, (n, k // 256, 1)).astype(np.float16).view(np.uint8)
    return np.asarray(blocks.reshape(n, -1))


def rounded(x: np.ndarray, kind: int) -> np.ndarray:
    """x as ggml rounds it before the product: whole numbers times a scale per block (Q8_0, Q8_1 or Q8_K)."""
    size = 256 if kind == products.Q6_K else 32
    blocks = x.reshape(-1, size)
    widest = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (np.float32(-127) / widest) if size == 256 else (np.float32(127) / np.abs(widest))
        factor = np.where(widest == 0, np.float32(0), factor).astype(np.float32)
        scale = 1 / factor if size == 256 else (np.abs(widest) / np.float32(127)).astype(np.float16)
    return np.where(widest == 0, 0, np.rint(blocks * factor) * scale.astype(np.float64)).reshape(x.shape)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
@given(
    rows=st.integers(1, 41),
    columns=st.integers(1, 5),
    blocks=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    spread=st.floats(0, 3),
)
def test_products_are_exact_up_to_the_order_of_sums(
    kind: int, level: str, rows: int, columns: int, blocks: int, seed: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    k = blocks * (256 if kind == products.Q6_K else 32)
    weights = weights_of(kind, 16 * columns, k, rng)
    x = (rng.normal(size=(rows, k)) * 10 ** rng.uniform(-spread, spread, (rows, 1))).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = 0
    found = products.compute(kind, weights, x, level)
    if found is None:
        assert "baco-local" not in products_description() or level  # this machine lacks the instructions
        return
    exact = gguf.dequantize(weights, gguf.GGMLQuantizationType(kind)).astype(np.float64)
    expected = rounded(x, kind) @ exact.T
    size = np.abs(rounded(x, kind)) @ np.abs(exact).T
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * size.max() + 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_activation_shows(kind: int) -> None:
    x = np.ones((3, 256), np.float32)
    x[1, 77] = np.nan
    found = products.compute(kind, weights_of(kind, 16, 256, np.random.default_rng(0)), x)
    if found is not None:
        assert np.isnan(found[1]).all()
        assert np.isfinite(found[[0, 2]]).all()


def logits(side: Any, prompt: list[int], rows: int) -> np.ndarray:
    context = Context(side.model, rows, 512, None, Work())
    try:
        context.evaluate([Span(0, 0, prompt, logits=False)])
        for sequence in range(1, rows):
            context.copy(0, sequence)
        spans = [Span(s, len(prompt), [1000 + 37 * s, 2000 + 11 * s]) for s in range(rows)]
        return np.array(context.evaluate(spans))
    finally:
        context.close()


def softmax(rows: np.ndarray) -> np.ndarray:
    e = np.exp(rows - rows.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(e / e.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("who", [0, 1])
def test_the_models_say_what_they_say_through_llama_cpp_alone(starter_pair: Any, who: int) -> None:
    """Up to where one rounding of an activation to eight bits falls, which moves either from the exact
    distribution by about 0.05 (tests/rounding.py measures that)."""
    side = starter_pair.sides[who]
    prompts = build(Request("A title for a novel about tides"), *starter_pair.sides)
    prompt = (prompts.base, prompts.aligned)[who]
    before = products.count()
    found = softmax(logits(side, prompt, 12))
    if which() in ("c", "avx512", "avx2") and "baco-local" in products_description():
        assert products.count() > before
    else:
        assert products.count() == before
    with products.disabled():
        before = products.count()
        expected = softmax(logits(side, prompt, 12))
        assert products.count() == before
    apart = 0.5 * np.abs(found - expected).sum(axis=1)  # total variation
    assert np.median(apart) < 0.1
    assert apart.max() < 0.2
