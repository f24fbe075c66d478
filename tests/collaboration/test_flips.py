"""Where an idea would have gone the other way, and going that way: from the trace alone, then through the models."""

import math
from typing import Any

import pytest
from scripted import ScriptedSide, engine
from test_loop import WORDS, follow, run

from baco_local.collaboration.alternatives import alternatives
from baco_local.collaboration.routers import ROUTERS, router
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import BARRED, Beginning, Token
from baco_local.native import layout as L


def token(speaker: str, top_p: float | None, entropy: float | None = 1.0, rules: int = 0) -> Token:
    return Token(" x", 3, speaker, top_p is not None, 0.5, top_p, entropy if top_p is not None else None, rules)


@pytest.mark.parametrize("name", [name for name, one in ROUTERS.items() if one.limits])
def test_the_scale_of_diversity_goes_both_ways(name: str) -> None:
    one = ROUTERS[name]
    for diversity in (0.01, 0.2, 0.5, 0.9, 1.0):
        assert math.isclose(one.diversity(one.at(diversity)), diversity, abs_tol=1e-9)


def test_where_an_idea_would_have_parted() -> None:
    trace = (token("aligned", None), token("base", 0.2), token("aligned", 0.6), token("aligned", 0.4, rules=L.PUNC))
    p, p_punc = router("p"), router("p-punc")
    assert p.parts(0.35, (trace[0], trace[1], trace[2])) is None
    assert p.parts(0.1, trace) == 1  # base would not have spoken
    assert p.parts(0.7, trace) == 2
    assert p.parts(0.5, trace) == 3
    assert p_punc.parts(0.5, trace) is None  # punctuation is aligned's at any threshold
    assert p.parts(0.1, trace, start=2) is None
    assert router("fc").parts(None, trace) == 2
    assert router("aligned").parts(None, trace) == 1
    assert router("base").parts(None, trace) == 2
    assert router("rand").parts(0.5, trace) is None
    assert router("h").parts(0.5, trace) == 2
    assert router("nudging").parts(0.15, trace) == 2


def test_what_base_may_not_write_does_not_count_as_parted() -> None:
    barred = token("aligned", 0.2, rules=BARRED)
    assert router("p").parts(0.35, (barred,)) is None
    assert router("p").parts(0.1, (barred,)) is None


COIN = {"": {" sea": 0.5, " sun": 0.5}, "light": {"house": 0.5, ".": 0.5}}


@pytest.mark.parametrize("source", ["base", "aligned", "either"])
@pytest.mark.parametrize("rule", ["p", "p-punc", "h-fc"])
def test_the_trace_says_what_the_router_named(source: str, rule: str) -> None:
    one = ScriptedSide("base", WORDS, follow(COIN))
    two = ScriptedSide("aligned", WORDS, follow(COIN | {" sun": {"light": 0.5, " sea": 0.5}}))
    threshold = 0.6
    steering = Steering(rule, threshold, content_source=source)
    for variant in run(Session(engine(one, two), Request("x", n=8, max_tokens=30), steering)):
        assert any(one.routed for one in variant.trace)
        assert router(rule).parts(threshold, variant.trace) is None


@pytest.mark.parametrize(("before", "after"), [(0.35, 0.7), (0.6, 0.2)])
def test_the_real_pair_goes_the_other_way(starter_pair: Any, before: float, after: float) -> None:
    request = Request("An image for the sound of rain", n=6, max_tokens=40, seed=5)
    written = run(Session(starter_pair.engine, request, Steering("p-punc", before)))
    rule = router("p-punc")
    assert all(rule.parts(before, variant.trace) is None for variant in written)
    places = [(variant, rule.parts(after, variant.trace)) for variant in written]
    parted = [(variant, at) for variant, at in places if at is not None]
    assert parted
    beginnings = [Beginning(variant.trace[:at], variant.trace[at]) for variant, at in parted]
    again = run(
        Session(
            starter_pair.engine,
            Request(request.prompt, n=len(parted), max_tokens=80, seed=6),
            Steering("p-punc", after),
            beginnings,
        )
    )
    others = 0
    for (variant, at), new in zip(parted, again, strict=True):
        assert new.trace[:at] == variant.trace[:at]
        if new.tokens > at:  # aligned may also end it there
            others += new.trace[at].speaker != variant.trace[at].speaker
            if new.trace[at].base_top_p is not None:
                assert new.trace[at].base_top_p == pytest.approx(variant.trace[at].base_top_p, abs=0.08)
    # read anew, a place at the very threshold can fall on its other side
    assert others >= len([new for (_, at), new in zip(parted, again, strict=True) if new.tokens > at]) - 1


def test_what_else_could_have_been_written(starter_pair: Any) -> None:
    request = Request("An image for the sound of rain", n=2, max_tokens=12, seed=5)
    variant = run(Session(starter_pair.engine, request, Steering("p", 0.5)))[0]
    at = next(index for index, one in enumerate(variant.trace) if one.routed and index > 2)
    base, aligned = alternatives(starter_pair.engine, request, variant.trace[:at], 5)
    assert len(base) == len(aligned) == 5
    for side, found in (("base", base), ("aligned", aligned)):
        shares = [one.token.p for one in found]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1
        assert {one.token.speaker for one in found} == {side}
    assert base[0].token.p == pytest.approx(variant.trace[at].base_top_p, abs=0.08)
    chosen = next(one.token for one in base if not one.ends)
    [new] = run(
        Session(
            starter_pair.engine,
            Request(request.prompt, n=1, max_tokens=20),
            Steering("p", 0.5),
            [Beginning((*variant.trace[:at], chosen))],
        )
    )
    assert new.text.startswith("".join(one.piece for one in (*variant.trace[:at], chosen)))
