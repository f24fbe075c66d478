"""The decode loop's logic, with scripted distributions."""

from collections.abc import Callable
from typing import Any

import pytest
from scripted import END, Distribution, ScriptedSide, ScriptedVocabulary, engine

from baco_local.collaboration.events import Ended, Failed, Summary, Wrote
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Sampling, Steering
from baco_local.collaboration.variant import Beginning, Variant
from baco_local.errors import Problem, RoomProblem, UsageProblem

WORDS = [" sea", " sun", "light", "house", ".", "\n", "Instruction", ":", " x", "y", b"\xf0\x9f", b"\x98\x80", "'", "s"]


HALF = b"\xf0\x9f".decode("utf-8", "surrogateescape")


def different(side: ScriptedSide) -> ScriptedSide:
    """The same side with one piece more, so that text and not ids pass across."""
    side.vocabulary = ScriptedVocabulary([*WORDS, " more"])
    return side


def always(piece: Any, p: float = 1.0) -> Callable[[str], Distribution]:
    return lambda text: {piece: p} if p == 1 else {piece: p, ".": 1 - p}


def follow(rules: dict[str, Any], otherwise: Any = END) -> Callable[[str], Distribution]:
    """The piece for the longest ending of the text that the rules know."""

    def script(text: str) -> Distribution:
        for ending in sorted(rules, key=len, reverse=True):
            if text.endswith(ending):
                found = rules[ending]
                return found if isinstance(found, dict) else {found: 1.0}
        return {otherwise: 1.0}

    return script


def write(
    base: Any, aligned: Any, *, steering: Steering | None = None, sides: dict[str, Any] | None = None, **options: Any
) -> list[Variant]:
    """Variants, by index, of two scripts; `sides` gets the scripted sides."""
    one, two = ScriptedSide("base", WORDS, base), ScriptedSide("aligned", WORDS, aligned)
    if sides is not None:
        sides.update(base=one, aligned=two)
    options = {"n": 1, "max_tokens": 6} | options
    return run(Session(engine(one, two), Request("x", **options), steering))


def run(session: Session) -> list[Variant]:
    events = list(session.start().events())
    if isinstance(events[-1], Failed):
        raise events[-1].problem
    assert isinstance(events[-1], Summary)
    return sorted((event.variant for event in events if isinstance(event, Ended)), key=lambda v: v.index)


def told(variant: Variant) -> list[tuple[str, str]]:
    return [(token.piece, token.speaker) for token in variant.trace]


BASE = Steering("base", sampling=Sampling(min_p=0))
ALIGNED = Steering("aligned")


def test_the_first_word_is_aligneds_and_the_rest_the_routers() -> None:
    aligned = follow({"": " sun", " sun": "light", "light": " sun"})
    [found] = write(always(" sea"), aligned, steering=BASE)
    assert told(found)[:3] == [(" sun", "aligned"), ("light", "aligned"), (" sea", "base")]
    [found] = write(always(" sea"), aligned, steering=BASE, first="router")
    assert told(found)[0] == (" sea", "base")


def test_leading_punctuation_is_not_yet_a_word() -> None:
    aligned = follow({"": "\n", "\n": " sun", " sun": " sea"})
    [found] = write(always(" x"), aligned, steering=BASE)
    assert told(found)[:3] == [("\n", "aligned"), (" sun", "aligned"), (" x", "base")]


def test_a_switch_never_lands_inside_a_word() -> None:
    """Base would go on with "house"; after aligned's "light" only pieces that start a word are drawn."""
    aligned = follow({"": " sun", " sun": " sea"})
    base = follow({"": {"house": 0.99, " sea": 0.01}})
    [found] = write(base, aligned, steering=BASE, max_tokens=2)
    assert told(found) == [(" sun", "aligned"), (" sea", "base")]


def test_only_aligned_ends_a_variant() -> None:
    [found] = write(always(END), follow({"": " sun", " sun": " sea", " sea": END}), steering=BASE)
    assert told(found) == [(" sun", "aligned"), (" sea", "aligned")]
    assert found.stop == "end"


def test_a_base_that_ends_while_speaking_hands_over() -> None:
    base = follow({" sun": " sea", " sea": END})
    aligned = follow({"": " sun", " sun": " x", " sea": " x", " x": END})
    [found] = write(base, aligned, steering=BASE)
    assert told(found) == [(" sun", "aligned"), (" sea", "base"), (" x", "aligned")]
    assert found.stop == "end"


def test_a_leak_hands_over() -> None:
    base = follow({" sun": "\n", "\n": "Instruction"})
    aligned = follow({"": " sun", " sun": " x", "\n": " sea", " sea": END})
    [found] = write(base, aligned, steering=BASE)
    assert found.text == " sun\n sea"


def test_an_aligned_router_never_runs_base() -> None:
    sides: dict[str, Any] = {}
    [found] = write(always(" sea"), follow({"": " sun", " sun": "light"}), steering=ALIGNED, sides=sides)
    assert found.base_share == 0
    assert [len(batch) for batch in sides["base"].calls] == [1]  # the prompt


def test_base_is_not_run_inside_aligneds_words() -> None:
    sides: dict[str, Any] = {}
    aligned = follow({"": " sun", " sun": "light", "light": "house", "house": "s", "s": "."})
    write(always(" sea"), aligned, steering=Steering("p", 0.0), sides=sides, max_tokens=5)
    _prompt, *caught_up = sides["base"].calls
    assert [[len(span.tokens) for span in batch] for batch in caught_up] == [[4]]  # four pieces, one batch
    assert all(span.logits for batch in caught_up for span in batch)


def test_a_tick_runs_each_model_once_for_all_variants() -> None:
    sides: dict[str, Any] = {}
    write(always(" sea"), always(" sun"), steering=Steering("p", 0.0), sides=sides, n=5, max_tokens=4)
    assert {len(batch) for batch in sides["aligned"].calls[1:]} == {5}
    assert {len(batch) for batch in sides["base"].calls[1:]} == {5}
    assert len(sides["aligned"].calls) <= 1 + 4


def test_more_variants_than_slots_take_turns() -> None:
    found = write(always(" sea"), follow({"": " sun", " sun": END}), steering=ALIGNED, n=7, slots=2)
    assert [variant.index for variant in found] == list(range(7))
    assert {variant.text for variant in found} == {" sun"}


def test_same_seed_same_texts_whatever_the_neighbours() -> None:
    script = {"": {" sea": 0.5, " sun": 0.5}}
    alone = write(follow(script), follow(script), n=3, seed=5, max_tokens=8)
    among = write(follow(script), follow(script), n=9, seed=5, max_tokens=8, slots=4)
    other = write(follow(script), follow(script), n=3, seed=6, max_tokens=8)
    assert [v.text for v in alone] == [v.text for v in among[:3]]
    assert [v.text for v in alone] != [v.text for v in other]


@pytest.mark.parametrize(
    ("options", "text", "stop"),
    [
        ({"max_tokens": 3}, " sun sun sun", "length"),
        ({"stop": ("n s",)}, " su", "stop-string"),
        ({"stop": ("zzz",), "max_tokens": 2}, " sun sun", "length"),
        ({"max_tokens": 90}, " sun", "repetition"),
    ],
)
def test_ends(options: dict[str, Any], text: str, stop: str) -> None:
    [found] = write(always(" sea"), always(" sun"), steering=ALIGNED, **options)
    assert (found.text, found.stop) == (text, stop)
    assert "".join(token.piece for token in found.trace) == text


def test_halves_of_a_character_stay_together() -> None:
    """An emoji of two byte pieces: no boundary between them, and the trace's pieces are whole characters."""
    base = follow({" sun": "\n", "\n": b"\xf0\x9f", HALF: b"\x98\x80"})
    [found] = write(base, follow({"": " sun", " sun": " x"}), steering=BASE, max_tokens=4)
    assert found.text == " sun\n😀"
    assert [token.piece for token in found.trace] == [" sun", "\n", "", "😀"]
    assert [token.routed for token in found.trace] == [False, True, True, False]


def test_text_crosses_between_different_vocabularies() -> None:
    sides = (
        ScriptedSide("base", [" s", "ea", " sun", "."], follow({" sun": " s", " s": "ea", " sea": {".": 1.0}})),
        ScriptedSide("aligned", ["."," sun", " sea"], follow({"": " sun", " sea": ".", ".": END})),
    )  # fmt: skip
    [found] = run(Session(engine(*sides), Request("x", n=1, max_tokens=6), Steering("punc")))
    assert told(found) == [(" sun", "aligned"), (" s", "base"), ("ea", "base"), (".", "aligned")]
    heard = [span.tokens for batch in sides[1].calls for span in batch]
    assert [sides[1].vocabulary.id(" sea")] in heard


@pytest.mark.parametrize("cuts", [True, False])
def test_logits_that_are_gone_are_computed_again(cuts: bool) -> None:
    """Base leaves half a character and ends, so aligned has nothing new to read: it repeats its last
    token, or, where a recurrent model can't take that back, reads everything again."""
    base = ScriptedSide("base", WORDS, follow({" sun": ".", ".": b"\xf0\x9f", HALF: END}))
    aligned = ScriptedSide("aligned", WORDS, follow({"": " sun", " sun": ".", ".": " x", " x": END}), cuts=cuts)
    [found] = run(Session(engine(base, different(aligned)), Request("x", n=1), Steering("punc")))
    assert told(found) == [(" sun", "aligned"), (".", "aligned"), (" x", "aligned")]
    assert found.text == " sun. x"
    read = [(span.start, len(span.tokens)) for batch in aligned.calls[1:] for span in batch]
    first = read[0][0]
    assert read[:3] == [(first, 1), (first + 1, 1), (first + 1, 1) if cuts else (first, 2)]


def test_a_longer_span_than_a_batch_is_read_in_parts() -> None:
    one = ScriptedSide("base", WORDS, lambda text: {" sea": 0.5, " sun": 0.5} if text.count(" s") < 90 else {END: 1.0})
    two = ScriptedSide("aligned", WORDS, lambda text: {" sun": 1.0} if text.count(" s") < 60 else {END: 1.0})
    one.n_batch = two.n_batch = 16
    [found] = run(Session(engine(one, two), Request("x", n=1, max_tokens=200), BASE))
    assert found.stop == "end"
    assert found.tokens >= 89
    assert max(len(span.tokens) for batch in two.calls for span in batch) == 16


def test_a_threshold_turned_live_changes_the_speaker() -> None:
    one = ScriptedSide("base", WORDS, follow({"": {" sea": 0.5, " x": 0.5}}))
    two = ScriptedSide("aligned", WORDS, follow({"": {" sun": 0.5, " x": 0.5}}))
    session = Session(engine(one, two), Request("x", n=1, max_tokens=400), Steering("p", 0.0))
    turned = 0

    def turning(spans: Any, evaluate: Any = two.evaluate) -> Any:
        nonlocal turned
        if len(two.calls) == 50:
            session.steer(threshold=1.0)
            turned += 1
        return evaluate(spans)

    two.evaluate = turning  # type: ignore[method-assign]
    [found] = run(session)
    speakers = [token.speaker for token in found.trace]
    assert turned >= 1
    assert set(speakers[:40]) == {"aligned"}
    assert set(speakers[60:]) == {"base"}
    assert found.threshold == 1.0


@pytest.mark.parametrize("eager", [0, 64])
def test_variants_with_a_steering_of_their_own_are_as_alone(eager: int) -> None:
    own = [
        BASE,
        ALIGNED,
        Steering("p", 0.6),
        Steering("rand", 0.5, Sampling(min_p=0, temperature=2)),
        Steering("p-punc", 0.9, content_source="either"),
        Steering("p", 0.6, Sampling(repeat=3)),
    ]
    base = {" sea": 0.5, "house": 0.2, ".": 0.2, "light": 0.1}
    aligned = {" sun": 0.4, "light": 0.3, ".": 0.2, " sea": 0.1}

    def written(steering: Steering, beginnings: Any) -> list[Variant]:
        one, two = (
            ScriptedSide("base", WORDS, follow({"": base})),
            ScriptedSide("aligned", WORDS, follow({"": aligned})),
        )
        one.eager = two.eager = eager
        request = Request("x", n=len(own), max_tokens=40, seed=3)
        return run(Session(engine(one, two), request, steering, beginnings))

    together = written(Steering("nudging", 0.3), [Beginning(steering=one) for one in own])
    for index, steering in enumerate(own):
        alone = written(steering, ())[index]
        assert told(together[index]) == told(alone)
        assert [token.p for token in together[index].trace] == [token.p for token in alone.trace]
        assert (together[index].router, together[index].threshold) == (steering.router, steering.threshold)


def test_steering_refuses_what_does_not_fit_and_keeps_what_was() -> None:
    session = Session(
        engine(ScriptedSide("b", WORDS, always(" sea")), ScriptedSide("a", WORDS, always(" sun"))), Request("x")
    )
    with pytest.raises(UsageProblem):
        session.steer(threshold=2.0)
    assert session.steering == Steering()
    assert session.steer(router="h").threshold == 2.1
    assert session.steer(base_share=0.3) == Steering("h", base_share=0.3)
    assert session.steer(sampling=Sampling(temperature=0.5)).base_share == 0.3
    assert session.steer(threshold=1.0).base_share is None


def test_a_stop_keeps_what_is_written() -> None:
    one, two = (
        ScriptedSide("base", WORDS, always(" sea")),
        ScriptedSide("aligned", WORDS, follow({"": {" sun": 0.3, " x": 0.3, " sea": 0.2, "y": 0.2}})),
    )
    session = Session(engine(one, two), Request("x", n=3, max_tokens=50_000), ALIGNED)
    two.n_ctx = one.n_ctx = 100_000
    session.start()
    variants = []
    for event in session.events():
        if isinstance(event, Wrote):
            session.stop()
        if isinstance(event, Ended):
            variants.append(event.variant)
    assert [variant.stop for variant in variants] == ["cancelled"] * 3
    assert all(variant.text for variant in variants)
    assert max(variant.tokens for variant in variants) < 50_000


def test_a_wanted_base_share_is_reached() -> None:
    script = lambda text: {" sea": 0.4, " sun": 0.3, " x": 0.2, "y": 0.1}  # noqa: E731
    for wanted in (0.2, 0.7):
        found = write(
            script,
            script,
            n=16,
            max_tokens=60,
            steering=Steering("rand", base_share=wanted, sampling=Sampling(min_p=0)),
        )
        tokens = sum(variant.tokens for variant in found)
        share = sum(variant.base_share * variant.tokens for variant in found) / tokens
        assert share == pytest.approx(wanted, abs=0.04)


def test_penalties_avoid_what_was_said() -> None:
    script = lambda text: {" sun": 0.6, " sea": 0.4}  # noqa: E731
    greedy = Sampling(temperature=0, presence=5.0)
    [found] = write(script, script, steering=Steering("aligned", sampling=greedy), max_tokens=2)
    assert found.text == " sun sea"


def test_the_prompt_is_kept_between_sessions() -> None:
    one, two = (
        ScriptedSide("base", WORDS, always(" sea")),
        ScriptedSide("aligned", WORDS, follow({"": " sun", " sun": END})),
    )
    ready = engine(one, two)
    run(Session(ready, Request("x sea sun", n=2)))
    before = len(one.calls)
    run(Session(ready, Request("x sea sun", n=2), Steering("p", 0.1)))
    prompts = [span for batch in one.calls[before:] for span in batch if span.sequence == 0]
    assert prompts == []
    run(Session(ready, Request("x sea sun sea", n=2)))
    changed = [span for batch in two.calls for span in batch if span.sequence == 0][-1]
    assert changed.start > 0  # the common beginning is not evaluated again


def test_too_long_a_prompt_says_so() -> None:
    sides = ScriptedSide("base", WORDS, always(" sea")), ScriptedSide("aligned", WORDS, always(" sun"))
    session = Session(engine(*sides), Request(" sea" * 2000))
    with pytest.raises(RoomProblem, match="shorten the prompt"):
        run(session)


def test_a_model_without_numbers_is_a_problem_and_keeps_the_rest() -> None:
    one, two = ScriptedSide("base", WORDS, always(" sea")), ScriptedSide("aligned", WORDS, always(" sun"))
    two.script = lambda text: {" sun": 1.0} if text.count("sun") < 2 else {}
    session = Session(engine(one, two), Request("x", n=1), ALIGNED).start()
    events = list(session.events())
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].problem, Problem)
    assert [event.variant.text for event in events if isinstance(event, Ended)] == [" sun sun"]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "no chat template"),
        ("{% if %}", "chat template failed"),
        ("{{ raise_exception('no') }}", "chat template failed"),
        ("{{ ''.__class__.__mro__ }}", "chat template failed"),
        ("{{ messages[5]['content'] + 1 }}", "chat template failed"),
        (
            "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
            "does not end",
        ),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "chat template failed"),
        ("{{ 'a' * 30000000000 }}", "fills the memory"),
        ("{{ 30000000000 * [0] }}", "fills the memory"),
        (
            "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "fills the memory",
        ),
        (
            "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
            "fills the memory",
        ),
        (
            "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
            "fills the memory",
        ),
        ("{{ 9 ** 99999999999 }}", "fills the memory"),
        ("{{ range(99999)|join('a' * 10000000) }}", "fills the memory"),
        ("{{ ('a' * 10000000).replace('a', 'b' * 1000) }}", "fills the memory"),
        ("{{ '%99999999999d' % 1 }}", "formats text"),
        ("{% set b = 'a' * 16000000 %}{% for i in range(60) %}{{ b }}{% endfor %}", "fills the memory"),
        (
            "{% set b = 'a' * 16000000 %}{% set x %}{% for i in range(60) %}{{ b }}{% endfor %}{% endset %}",
            "fills the memory",
        ),
        (
            "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
            "fills the memory",
        ),
        (
            "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|tojson }}",
            "fills the memory",
        ),
        (
            "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x ~ 1 }}",
            "fills the memory",
        ),
        ("{{ 'a\\nb'|indent(99999999999) }}", "fills the memory"),
        ("{{ '{:99999999999}'.format(1) }}", "formats text"),
        ("{{ 'x'|center(99999999999) }}", "formats text"),
        ("{{ 'x'.ljust(99999999999) }}", "chat template failed"),
    ],
)
def test_templates_that_do_not_work(template: str | None, says: str) -> None:
    two = ScriptedSide("aligned", WORDS, always(" sun"))
    two.chat_template = template
    session = Session(engine(ScriptedSide("base", WORDS, always(" sea")), two), Request("x"))
    with pytest.raises(UsageProblem, match=says):
        run(session)


def test_what_chats_use_works_within_the_bounds() -> None:
    from baco_local.template import render

    text = "{{ 'a b'.split(' ')|join('-') }} {{ 'x'.replace('x', 'y') }} {{ messages|tojson(indent=2)|length }} {{ 'a' ~ (1 + 1) }}{{ '-'.join(['b', 'c']) }}"
    assert render(text, [{"role": "user"}], "", "") == "a-b y 30 a2b-c"
    text = "{% set n = namespace(function='f', context=[1]) %}{{ n.function }}{{ n.context }}{% generation %} {{ 'x'|indent(2) }}{% endgeneration %}"
    assert render(text, [], "", "") == "f[1] x"


def test_a_template_without_a_system_role_gets_both_in_one_turn() -> None:
    from baco_local.collaboration.prompts import render

    two = ScriptedSide("aligned", WORDS, always(" sun"))
    two.chat_template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        "<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    assert render(two, "", "", "Be brief.", "Hello") == "<user>Be brief.\n\nHello"


def test_continue_gives_both_models_the_writers_text() -> None:
    """Its end decides whether the first piece starts a word, and its trailing blank is not evaluated."""
    sides: dict[str, Any] = {}
    two = follow({" sun": "light", "light": " sea"})
    [found] = write(always(" sea"), two, steering=BASE, mode="continue", sides=sides, max_tokens=2)
    del found
    one, two_side = ScriptedSide("base", WORDS, always(" sea")), ScriptedSide("aligned", WORDS, two)
    [found] = run(Session(engine(one, two_side), Request(" sun ", n=1, max_tokens=2, mode="continue"), BASE))
    assert told(found) == [("light", "aligned"), (" sea", "base")]
    assert one.calls[0][0].tokens == two_side.calls[0][0].tokens == [0, one.vocabulary.id(" sun")]


def test_rows_beyond_whole_tiles_wait_for_the_next_batch() -> None:
    one, two = ScriptedSide("base", WORDS, always(" sea")), ScriptedSide("aligned", WORDS, always(" sun"))
    two.tile = 4
    found = run(Session(engine(one, two), Request("x", n=6, max_tokens=5), ALIGNED))
    assert [variant.text for variant in found] == [" sun" * 5] * 6
    rows = [len(batch) for batch in two.calls[1:]]
    assert sum(rows) == 6 * 4  # the first token of each comes from the prompt's logits
    assert set(rows[:-1]) == {4}


def test_a_closed_pair_fails_instead_of_using_freed_models() -> None:
    ready = engine(ScriptedSide("base", WORDS, always(" sea")), ScriptedSide("aligned", WORDS, always(" sun")))
    ready.closed.set()
    with pytest.raises(UsageProblem, match="closed"):
        run(Session(ready, Request("x")))


def test_a_prompt_without_tokens_is_a_problem() -> None:
    two = ScriptedSide("aligned", WORDS, always(" sun"))
    two.chat_template = "{# nothing #}"
    two.vocabulary.tokenize = lambda text, **_: []  # type: ignore[assignment]
    session = Session(engine(ScriptedSide("base", WORDS, always(" sea")), two), Request("x"))
    with pytest.raises(UsageProblem, match="nothing of the prompt"):
        run(session)


def test_a_cut_text_keeps_the_character_its_last_token_completed() -> None:
    pieces = [" a", b" \xe2\x80", b"\x94 yes STOP"]
    half = b"\xe2\x80".decode("utf-8", "surrogateescape")
    script = follow({"": " a", " a": b" \xe2\x80", " " + half: b"\x94 yes STOP"})
    sides = [ScriptedSide(name, pieces, script) for name in ("base", "aligned")]
    [found] = run(Session(engine(*sides), Request("x", n=1, stop=("STOP",)), ALIGNED))
    assert (found.text, found.stop) == (" a — yes ", "stop-string")


def test_a_base_share_switched_on_late_does_not_make_up_for_what_was_before() -> None:
    from types import SimpleNamespace

    from baco_local.collaboration.session import Aim

    aim, counts = Aim(), SimpleNamespace(tokens=1950, base_tokens=0, request=SimpleNamespace(window=8))
    aim.steering(Steering("p", 0.1), counts)  # type: ignore[arg-type]
    counts.tokens = 1960
    assert aim.steering(Steering("p", base_share=0.2), counts).threshold == pytest.approx(0.2)  # type: ignore[arg-type]
