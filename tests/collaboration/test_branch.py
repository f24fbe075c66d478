"""Going on from a token of another variant: of one that is being written, and of a stored one."""

from typing import Any

import pytest
from scripted import END, ScriptedSide, engine
from test_loop import HALF, WORDS, different, follow, run

from baco_local.collaboration.engine import Engine
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Beginning, Token, Variant
from baco_local.errors import UsageProblem

SEED = 6  # variant 0 begins with " sea", variant 1 with " sun"
COIN = {"": {" sea": 0.5, " sun": 0.5}, "light": {"house": 0.5, ".": 0.5}}


def pair(*, same: bool = True, cuts: bool = True) -> tuple[ScriptedSide, ScriptedSide, Engine]:
    one = ScriptedSide("base", WORDS, follow(COIN), cuts=cuts)
    two = ScriptedSide("aligned", WORDS, follow(COIN | {" sun": {"light": 0.5, " sea": 0.5}}), cuts=cuts)
    return one, two, engine(one, two if same else different(two))


def branched(ready: Engine, side: ScriptedSide, at: int, request: Request) -> list[Variant]:
    """The variants of a session in which, at the 20th batch, one branches from variant 0."""
    session = Session(ready, request, Steering("p", 0.6))

    def submit(spans: Any, evaluate: Any = side.submit) -> None:
        if len(side.calls) == 20:
            session.branch(0, at)
        evaluate(spans)

    side.submit = submit  # type: ignore[method-assign]
    return run(session)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("cuts", [True, False])
def test_a_branch_of_a_running_variant_copies_what_was_read(same: bool, cuts: bool) -> None:
    one, two, ready = pair(same=same, cuts=cuts)
    first, second, branch = branched(ready, one, 9, Request("x", n=2, max_tokens=40, seed=3, slots=2))
    assert (branch.index, branch.parent, branch.kept) == (2, 0, 9)
    assert branch.trace[:9] == first.trace[:9]
    assert branch.trace != first.trace
    assert (first.kept, second.kept, first.parent) == (0, 0, None)
    assert branch.tokens <= 40
    # every span continued what its sequence held (the scripted side asserts that); a slot was free
    # only when a variant had ended, so what was copied depends on which one it was
    assert one.calls
    assert two.calls


def test_a_branch_that_finds_its_source_running_reads_nothing_again() -> None:
    def script(text: str) -> dict[Any, float]:
        if " sun" in text:
            return {END: 1.0}
        return {" sea": 0.5, " x" if " sea" in text else " sun": 0.5}

    two = ScriptedSide("aligned", WORDS, script)
    ready = engine(ScriptedSide("base", WORDS, script), two)
    session = Session(ready, Request("x", n=2, max_tokens=40, seed=SEED), Steering("aligned"))

    def submit(spans: Any, evaluate: Any = two.submit) -> None:
        if len(two.calls) == 20:
            session.branch(0, 9)
        evaluate(spans)

    two.submit = submit  # type: ignore[method-assign]
    found = run(session)
    assert [variant.text == " sun" for variant in found] == [False, True, False]
    assert [variant.kept for variant in found] == [0, 0, 9]
    after = [span for batch in two.calls[21:] for span in batch if span.sequence == 2]
    assert after[0].start == ready.readers[1].start + 8  # only the last kept token, whose logits are asked for
    assert {len(span.tokens) for span in after} == {1}


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("cuts", [True, False])
def test_kept_tokens_are_read_once_for_all_variants(same: bool, cuts: bool) -> None:
    one, two, ready = pair(same=same, cuts=cuts)
    [source] = run(Session(ready, Request("x", n=1, max_tokens=30, seed=2), Steering("p", 0.6)))
    for side in (one, two):
        side.calls.clear()
    kept = source.trace[:12]
    found = run(Session(ready, Request("x", n=3, max_tokens=8, seed=5, kept=kept), Steering("p", 0.6)))
    for variant in found:
        assert variant.trace[:12] == kept
        assert (variant.kept, variant.parent, variant.tokens) == (12, None, 20)
        assert variant.text.startswith("".join(token.piece for token in kept))
    for side in (one, two):
        read = [span for batch in side.calls for span in batch]
        assert [span.sequence for span in read].count(0) == 1  # one batch
        whole = len(ready.readers[0].held if side is one else ready.readers[1].held)
        if cuts:
            assert all(span.start >= whole - 1 for span in read if span.sequence)
    for side in (one, two):
        side.calls.clear()
    run(Session(ready, Request("x", n=1, max_tokens=2), Steering("p", 0.6)))
    again = [len(span.tokens) for batch in one.calls for span in batch if span.sequence == 0]
    assert again == ([1] if cuts else [len(ready.readers[0].held)])  # the prompt's last token, for its logits


def test_tokens_of_another_pair_are_refused() -> None:
    *_, ready = pair()
    for id, speaker in ((999, "base"), (-1, "aligned"), (1, "aligned"), (3, "nobody")):
        token = Token(" sea", id, speaker, False, 1.0, None, None)
        with pytest.raises(UsageProblem, match="not one of this pair's"):
            run(Session(ready, Request("x", n=1, kept=(token,))))


def test_a_branch_keeps_whole_characters() -> None:
    base = follow({" sun": "\n", "\n": b"\xf0\x9f", HALF: b"\x98\x80", "😀": {".": 0.5, " x": 0.5}})
    two = ScriptedSide("aligned", WORDS, follow({"": " sun", " sun": " x"}))
    ready = engine(ScriptedSide("base", WORDS, base), two)
    [source] = run(Session(ready, Request("x", n=1, max_tokens=4), Steering("base")))
    assert source.text == " sun\n😀"
    [found] = run(Session(ready, Request("x", n=1, max_tokens=1, kept=source.trace[:3]), Steering("base")))
    assert found.kept == 2  # " sun", "\n"; not the half of what followed
    [found] = run(Session(ready, Request("x", n=1, max_tokens=1, kept=source.trace[:4]), Steering("base")))
    assert found.text in (" sun\n😀.", " sun\n😀 x")


def test_a_branch_of_nothing_known_does_nothing() -> None:
    *_, ready = pair()
    session = Session(ready, Request("x", n=1, max_tokens=3), Steering("aligned"))
    assert session.branch(77, 1) == 1
    assert len(run(session)) == 1


def test_more_variants_are_added_while_others_are_written() -> None:
    one, _, ready = pair()
    [source] = run(Session(ready, Request("x", n=1, max_tokens=20, seed=3), Steering("p", 0.6)))
    session = Session(ready, Request("x", n=1, max_tokens=20, seed=4, spare=2), Steering("p", 0.6))
    added: list[int | None] = []

    def submit(spans: Any, evaluate: Any = one.submit) -> None:
        if not added:
            added.extend(
                [session.add(), session.add(Beginning(source.trace[:7])), session.add(Beginning(source.trace))]
            )
        evaluate(spans)

    one.submit = submit  # type: ignore[method-assign]
    found = {variant.index: variant for variant in run(session)}
    assert added == [1, 2, None]  # the last one's beginning is as long as an idea of this session may be
    assert sorted(found) == [0, 1, 2]
    assert found[2].trace[:7] == source.trace[:7]
    assert (found[1].kept, found[2].kept) == (0, 7)
    assert session.add() is None  # over


def test_variants_that_begin_differently_in_one_session() -> None:
    *_, ready = pair()
    [source] = run(Session(ready, Request("x", n=1, max_tokens=20, seed=3), Steering("p", 0.6)))
    beginnings = [Beginning(source.trace[:at]) for at in (5, 0, 9)]
    found = run(Session(ready, Request("x", n=4, max_tokens=30), Steering("p", 0.6), beginnings))
    assert [variant.kept for variant in found] == [5, 0, 9, 0]
    assert all(variant.trace[:at] == source.trace[:at] for variant, at in zip(found, (5, 0, 9, 0), strict=True))
    foreign = Beginning((Token(" sea", 999, "base", False, 1.0, None, None),))
    with pytest.raises(UsageProblem, match="not one of this pair's"):
        Session(ready, Request("x", n=1), Steering("p", 0.6), [foreign])
