"""Pairs that are one model twice, or a model with an adapter: both sides write, over one copy of the weights."""

import json
import sys
from pathlib import Path
from subprocess import check_output
from typing import Any

import numpy as np
import pytest
from oracle import BYTES, SPECIAL, write_lora, write_model, write_random_lora

import baco_local
from baco_local.collaboration.settings import Steering
from baco_local.errors import ModelProblem

WORDS = [" sea", " sun", " tide"]
CONTENT = [" ", *sorted(set("seasuntide")), *WORDS]
TIDES: dict[str, dict[str, float]] = {row: {" sea": 0.5, " sun": 0.5} for row in ["\n", *WORDS]}


def token(piece: str) -> int:
    return len(SPECIAL) + len(BYTES) + CONTENT.index(piece)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_model(tmp_path / "base.gguf", CONTENT, TIDES)


def adapter(path: Path) -> Path:
    """After " sea" and at the start " tide" becomes all but certain: its logit rises by 80."""
    width = -(-(len(SPECIAL) + len(BYTES) + len(CONTENT)) // 32) * 32
    a, b = np.zeros((1, width)), np.zeros((width, 1))[: len(SPECIAL) + len(BYTES) + len(CONTENT)]
    a[0, [SPECIAL.index("<s>"), token(" sea"), len(SPECIAL) + 10]] = 1  # <0x0A> is the newline that prompts end in
    b[token(" tide"), 0] = 80 / np.sqrt(width)
    return write_lora(path, {"output": (a, b)})


def texts(pair: Any, router: str, **options: Any) -> list[str]:
    found = pair.ideas("x", n=6, max_tokens=12, steering=Steering(router=router), **options)
    return [variant.text for variant in found]


def test_only_the_aligned_side_has_the_adapter(base: Path, tmp_path: Path) -> None:
    with baco_local.open_pair(base=base, lora=adapter(tmp_path / "lora.gguf")) as pair:
        assert pair.same_vocabulary
        assert len(pair.models) == 1
        for text in texts(pair, "aligned"):
            assert text.startswith(" tide")
            assert " sea sea" not in text
            assert " sea sun" not in text
        for text in texts(pair, "base", first="router"):
            assert " tide" not in text


def test_one_model_in_both_roles(base: Path) -> None:
    with baco_local.open_pair(same=base) as pair:
        assert pair.same_vocabulary
        assert len(pair.models) == 1
        variants = list(pair.ideas("x", n=6, max_tokens=12, steering=Steering(router="rand", threshold=0.5)))
    assert {token.speaker for variant in variants for token in variant.trace} == {"base", "aligned"}


def test_the_real_model_with_an_adapter_and_as_both(starter: dict[str, Path], tmp_path: Path) -> None:
    lora = write_random_lora(tmp_path / "lora.gguf", starter["aligned"])
    for given in ({"base": starter["aligned"], "lora": lora}, {"same": starter["aligned"]}):
        with baco_local.open_pair(**given) as pair:
            variants = list(pair.ideas("Names for a boat", n=4, max_tokens=24, seed=3))
        assert len({variant.text for variant in variants}) == 4
        assert any(0 < variant.base_share < 1 for variant in variants)


RESIDENT = """
import json, sys
from pathlib import Path
from memory import resident
from baco_local.catalog.examine import examine
from baco_local.catalog.given import given_entry
from baco_local.runtime.context import Context
from baco_local.runtime.model import Model
from baco_local.runtime.spans import Span, Work

def evaluated(model):
    context = Context(model, 2, 64, None, Work())
    context.evaluate([Span(0, 0, [5] * 20)])
    return context

with Model(Path(sys.argv[1])) as model:
    contexts = [evaluated(model)]
    one = resident()
    contexts.append(evaluated(model))
    two = resident()
    for context in contexts:
        context.close()
print(json.dumps([one, two]))
"""


def test_two_contexts_share_the_weights(starter: dict[str, Path]) -> None:
    path = Path(__file__).parent.parent
    said = check_output([sys.executable, "-c", RESIDENT, str(starter["aligned"])], cwd=path)
    one, two = json.loads(said)
    size = starter["aligned"].stat().st_size
    assert one > size
    assert two - one < size / 4


def test_an_adapter_that_does_not_fit_is_a_line(starter: dict[str, Path], base: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelProblem, match=r"lora\.gguf: llama\.cpp could not lay it over SmolLM2.*\n.*this very model"
    ):
        baco_local.open_pair(base=starter["aligned"], lora=adapter(tmp_path / "lora.gguf"))


def test_a_cache_of_eight_bits_writes(starter: dict[str, Path]) -> None:
    with baco_local.open_pair(base=starter["base"], aligned=starter["aligned"], cache_type="q8_0") as pair:
        variants = list(pair.ideas("Names for a boat", n=2, max_tokens=16))
    assert all(variant.text for variant in variants)
