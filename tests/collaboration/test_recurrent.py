"""A recurrent pair through real llama.cpp: what can't be cut is read again, and nothing else changes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import write_mamba

import baco_local
from baco_local.collaboration.prompts import build
from baco_local.collaboration.variant import Variant
from baco_local.runtime.context import Context
from baco_local.runtime.spans import Span, Work

CONTENT = [" sea", " sun", " tide", "s", "light", "."]
FREE = baco_local.Sampling(min_p=0.0)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("mamba")
    paths: list[Path] = [write_mamba(folder / f"{seed}.gguf", CONTENT, seed) for seed in (1, 2)]
    with baco_local.open_pair(base=paths[0], aligned=paths[1]) as opened:
        yield opened


def check(pair: Any, variants: list[Variant]) -> None:
    """Every token's probability, where nothing but its own model's distribution decided, against a reading
    of the whole text from its beginning."""
    prompts = build(baco_local.Request("x"), *pair.sides)
    checked = 0
    for variant in variants:
        ids: list[int] = []
        for before, token in zip((None, *variant.trace), variant.trace, strict=False):
            side = pair.sides[("base", "aligned").index(token.speaker)]
            prompt = (prompts.base, prompts.aligned)[("base", "aligned").index(token.speaker)]
            if before is None or before.speaker == token.speaker:
                context = Context(side.model, 1, 512, None, Work())
                [row] = context.evaluate([Span(0, 0, [*prompt, *ids])])
                e = np.exp(row - row.max(), dtype=np.float64)
                assert token.p == pytest.approx(e[token.id] / e.sum(), rel=2e-3)
                context.close()
                checked += 1
            ids.append(token.id)
    assert checked > 10


def test_a_recurrent_pair_writes_and_goes_on_from_any_token(pair: Any) -> None:
    assert all(model.recurrent for model in pair.models)
    assert pair.same_vocabulary
    steering = baco_local.Steering("p", 0.4, FREE)
    found = list(pair.ideas("x", n=3, max_tokens=16, seed=1, steering=steering))
    check(pair, found)
    longest = max(found, key=lambda variant: variant.tokens)
    kept = longest.trace[:9]
    assert len(kept) == 9
    more = list(pair.ideas("x", n=3, max_tokens=8, seed=2, kept=kept, steering=steering))
    assert all(variant.trace[:9] == kept for variant in more)
    check(pair, more)


def test_a_recurrent_pair_branches_live(pair: Any) -> None:
    session = pair.session(
        baco_local.Request("x", n=2, max_tokens=400, seed=4, slots=3), baco_local.Steering("rand", 0.5, FREE)
    )
    branch = -1
    variants: dict[int, Variant] = {}
    for event in session.events(0.001):
        if isinstance(event, baco_local.collaboration.events.Wrote) and branch < 0:
            branch = session.branch(event.index, 1)
        elif isinstance(event, baco_local.collaboration.events.Ended):
            variants[event.variant.index] = event.variant
    found = variants[branch]
    assert found.parent in variants
    assert found.trace[: found.kept] == variants[found.parent or 0].trace[: found.kept]
    check(pair, [found])
