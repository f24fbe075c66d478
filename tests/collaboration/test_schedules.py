"""Both schedules write the same: eagerly, where both models read everything at once, and on demand."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import write_model
from scripted import END, ScriptedSide, engine
from test_loop import WORDS, different, run

import baco_local
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Variant


def script(salt: int) -> Any:
    """A distribution that depends on the whole text: words that go on, ends, halves of characters, leaks."""

    def distribution(text: str) -> dict[Any, float]:
        rng = np.random.default_rng([salt, *text.encode("utf-8", "surrogateescape")])
        pieces = rng.choice(len(WORDS), 3, replace=False)
        weights = 0.95 * rng.dirichlet([1.0, 1.0, 1.0])
        return dict(zip([WORDS[piece] for piece in pieces], weights, strict=True)) | {END: 0.05}

    return distribution


def written(
    steering: Steering, *, same: bool, eager: bool, cuts: bool = True, **options: Any
) -> tuple[list[Variant], list[ScriptedSide]]:
    one, two = ScriptedSide("base", WORDS, script(1), cuts=cuts), ScriptedSide("aligned", WORDS, script(2), cuts=cuts)
    one.eager = two.eager = 99 if eager else 0
    ready = engine(one, two if same else different(two))
    found = run(Session(ready, Request("x", **({"n": 5, "max_tokens": 40, "seed": 8, "slots": 3} | options)), steering))
    return [dataclasses.replace(variant, seconds=0.0) for variant in found], [one, two]


@pytest.mark.parametrize("steering", [
    Steering("p", 0.6), Steering("p-punc", 0.5), Steering("h", 0.9), Steering("rand", 0.5), Steering("base"), Steering("aligned"),
    Steering("punc", content_source="either"), Steering("p-fc", 0.5, content_source="aligned"),
], ids=lambda steering: f"{steering.router}-{steering.content_source}")  # fmt: skip
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("cuts", [True, False])
def test_both_schedules_write_the_same(steering: Steering, same: bool, cuts: bool) -> None:
    eager, _ = written(steering, same=same, eager=True, cuts=cuts)
    on_demand, _ = written(steering, same=same, eager=False, cuts=cuts)
    assert eager == on_demand
    assert sum(variant.tokens for variant in eager) > 30
    if steering.router in ("p", "p-punc", "rand"):
        assert {token.speaker for variant in eager for token in variant.trace} == {"base", "aligned"}


def test_eagerly_no_variant_waits() -> None:
    eager, (one, two) = written(Steering("rand", 0.5), same=True, eager=True, n=3)
    longest = max(variant.tokens for variant in eager)
    assert len(one.calls) <= longest + 2  # the prompt, and a token a batch
    assert len(two.calls) <= longest + 2


@pytest.mark.parametrize(("router", "eager"), [("rand", 2), ("aligned", 99), ("rand", 99)])
def test_many_variants_and_single_models_go_on_demand(router: str, eager: int) -> None:
    one, two = ScriptedSide("base", WORDS, script(1)), ScriptedSide("aligned", WORDS, script(2))
    one.eager, two.eager = 99, eager
    run(
        Session(
            engine(one, two),
            Request("x", n=5, max_tokens=9, slots=5),
            Steering(router, 0.0 if router == "rand" else None),
        )
    )
    first = one.calls[1] if len(one.calls) > 1 else []
    assert (len(first) == 5) == (router == "rand" and eager == 99)


@pytest.mark.parametrize("same", [True, False])
def test_both_schedules_write_the_same_through_llama_cpp(tmp_path: Path, same: bool) -> None:
    """Words of several pieces, which the other model reads as one piece, or as others."""
    words = [" sea", " sun", "light", "house", "s", ".", " s", "un"]
    bigram = {
        " sun": {"light": 0.4, "s": 0.2, " sea": 0.4},
        "light": {"house": 0.6, " sun": 0.4},
        " s": {"un": 0.7, "s": 0.3},
    }
    base = write_model(tmp_path / "base.gguf", words, bigram)
    aligned = write_model(
        tmp_path / "aligned.gguf", words if same else [*words[:2], " sunlight", "lighthouse", *words[4:]], {}
    )
    found = {}
    for eager in (True, False):
        with baco_local.open_pair(base=base, aligned=aligned) as pair:
            assert pair.same_vocabulary == same
            pair.engine.eager = 99 if eager else 0
            some = pair.ideas("x", n=6, max_tokens=40, seed=3, steering=Steering("rand", 0.5))
            found[eager] = {variant.index: [(token.id, token.speaker) for token in variant.trace] for variant in some}
    assert found[True] == found[False]
    assert sum(map(len, found[True].values())) > 60
