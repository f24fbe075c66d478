"""What can be done at the desk, without a screen: every deed, its undoing, and what the library has of it."""

from dataclasses import replace
from typing import Any

import pytest
from desks import ScriptedPair, pulled

from baco_local.catalog.entries import Calibration
from baco_local.collaboration.settings import Steering
from baco_local.collaboration.variant import Token
from baco_local.errors import ModelProblem, UsageProblem
from baco_local.library import Library
from baco_local.tui.desk import Card, Draft, Page, Take
from baco_local.tui.output import exported
from baco_local.tui.studio import Studio


def write(studio: Studio, prompt: str = "sea") -> list[Card]:
    studio.draft = Draft(prompt)
    studio.write()
    settle(studio)
    return studio.page.cards


def settle(studio: Studio) -> None:
    """Until everything is written, and the library has it."""
    pulled(studio, lambda: not studio.scribe.writing and all(take.done for take in studio.page.takes))
    studio.books.settle()
    studio.flow.pull()
    assert not studio.flow.problems


def kept(library: Library, studio: Studio) -> dict[str | None, Any]:
    assert studio.page.node
    return {node.id: node for node in library.ideas(studio.page.node)}


def test_ideas_are_on_the_page_and_in_the_library(studio: Studio, library: Library) -> None:
    cards = write(studio)
    assert len(cards) == 4
    found = kept(library, studio)
    assert {take.id: take.text for take in studio.page.takes} == {id: node.text for id, node in found.items()}
    assert all(take.tokens and take.stop in ("end", "length") for take in studio.page.takes)
    origin = next(iter(found.values())).origin
    assert origin["options"]["router"] == "p"
    assert origin["options"]["max_tokens"] == 12


def test_the_same_prompt_again_is_more_on_the_page(studio: Studio, library: Library) -> None:
    write(studio)
    studio.write()
    settle(studio)
    assert len(studio.page.cards) == 8
    assert len(kept(library, studio)) == 8
    assert studio.deeds.undo() == "more"
    settle(studio)
    assert len(studio.page.cards) == 4
    assert len(kept(library, studio)) == 4
    studio.deeds.redo()
    settle(studio)
    assert len(kept(library, studio)) == len(studio.page.cards) == 8


def test_another_prompt_is_another_page_and_undo_turns_back(studio: Studio) -> None:
    first = write(studio)
    write(studio, "sun")
    assert studio.page.prompt == "sun"
    assert studio.deeds.undo() == "new page"
    assert studio.page.cards is first
    assert studio.draft.text == "sea"
    studio.deeds.redo()
    assert studio.page.prompt == "sun"


def test_an_empty_prompt_is_refused_and_nothing_is_lost(studio: Studio) -> None:
    cards = write(studio)
    studio.draft = Draft("  ")
    with pytest.raises(UsageProblem, match="prompt is empty"):
        studio.write()
    assert studio.page.cards is cards


def test_marks_and_their_undoing(studio: Studio, library: Library) -> None:
    card = write(studio)[0]
    for act, state in ((studio.star, (True, False)), (studio.reject, (False, True)), (studio.reject, (False, False))):
        act(card)
        settle(studio)
        node = kept(library, studio)[card.take.id]
        assert (card.take.starred, card.take.rejected) == (node.starred, node.rejected) == state
    assert [studio.deeds.undo() for _ in range(3)] == ["take back", "reject", "star"]
    settle(studio)
    node = kept(library, studio)[card.take.id]
    assert (card.take.starred, node.starred, node.rejected) == (False, False, False)
    assert studio.deeds.undo() == "new page"
    assert studio.deeds.undo() is None


def test_a_reroll_lies_above_what_was_there(studio: Studio, library: Library) -> None:
    card = write(studio)[1]
    before = card.take
    studio.reroll([card])
    settle(studio)
    assert card.takes[0] is before
    assert card.take is card.takes[1]
    node = kept(library, studio)[card.take.id]
    assert (node.parent, node.kind, node.kept) == (before.id, "variant", 0)
    assert card.turn(-1)
    assert card.take is before
    assert not card.turn(-1)
    assert studio.deeds.undo() == "reroll"
    settle(studio)
    assert card.takes == [before]
    assert node.id not in kept(library, studio)
    studio.deeds.redo()
    settle(studio)
    assert node.id in kept(library, studio)


def test_starred_ones_survive_a_reroll_of_all(studio: Studio) -> None:
    cards = write(studio)
    studio.star(cards[2])
    studio.reroll_unstarred()
    settle(studio)
    assert [len(card.takes) for card in cards] == [2, 2, 1, 2]
    for card in cards:
        if not card.take.starred:
            studio.star(card)
    with pytest.raises(UsageProblem, match="nothing to reroll"):
        studio.reroll_unstarred()


def test_a_reroll_while_others_are_written_joins_them(studio: Studio, pair: ScriptedPair) -> None:
    cards = write(studio)
    pair.gate.clear()
    studio.reroll(cards[:1])
    pulled(studio, lambda: studio.scribe.job and studio.scribe.job.state == "writing")
    studio.reroll(cards[1:2])
    with pytest.raises(UsageProblem, match="still being written"):
        studio.reroll(cards[:1])
    with pytest.raises(UsageProblem, match="still being written"):
        studio.deeds.undo()
    pair.gate.set()
    settle(studio)
    assert len(pair.sessions) == 2
    assert [len(card.takes) for card in cards] == [2, 2, 1, 1]


def test_stopping_keeps_what_is_there_and_takes_away_what_has_not_begun(studio: Studio, pair: ScriptedPair) -> None:
    studio.setup.n = 40  # 16 are written at once
    studio.draft = Draft("sea")
    pair.gate.clear()
    studio.write()
    assert len(studio.page.cards) == 40
    pulled(studio, lambda: studio.scribe.job and studio.scribe.job.state == "writing")
    studio.stop()
    pair.gate.set()
    settle(studio)
    assert len(studio.page.cards) < 40
    assert all(take.stop for take in studio.page.takes)


def test_going_the_other_way_keeps_what_is_before_it(studio: Studio, library: Library) -> None:
    cards = write(studio)
    with pytest.raises(UsageProblem, match="the same way"):
        studio.go_other_way(cards)
    studio.steer(threshold=0.1)  # base never speaks
    parted = {card: studio.parting(card.take) for card in cards}
    going = [card for card in cards if parted[card]]
    assert going
    olds = {card: card.take for card in cards}
    studio.go_other_way(cards)
    settle(studio)
    for card in cards:
        at = parted[card]
        if at is None:
            assert card.take is olds[card]
            continue
        old, new = olds[card], card.take
        assert new.tokens
        assert old.tokens
        assert new.tokens[: at.at] == old.tokens[: at.at]
        assert old.tokens[at.at].speaker == "base"
        assert all(token.speaker == "aligned" for token in new.tokens[at.at :])
        node = kept(library, studio)[new.id]
        assert (node.parent, node.kept_tokens, node.text) == (old.id, at.at, new.text)


def test_going_on_from_a_token_and_from_another_one(studio: Studio, library: Library) -> None:
    card = write(studio)[0]
    old = card.take
    assert old.tokens
    instead = Token(
        " wolf", studio.scribe.pair.engine.readers[0].side.vocabulary.id(" wolf"), "base", True, 0.25, 0.25, 1.4
    )  # type: ignore[union-attr, attr-defined]
    studio.go_from(card, 2, instead)
    settle(studio)
    assert card.take.tokens
    assert card.take.tokens[:3] == [*old.tokens[:2], instead]
    node = kept(library, studio)[card.take.id]
    assert (node.parent, node.kept_tokens, node.text) == (old.id, 2 if old.tokens[2] != instead else 3, card.take.text)
    assert [token.id for token in library.trace(node.id)] == [token.id for token in card.take.tokens]
    studio.go_from(card, 0)
    settle(studio)
    assert len(card.takes) == 3


def test_edits_are_takes_and_can_be_undone(studio: Studio, library: Library) -> None:
    card = write(studio)[0]
    before = card.take
    studio.star(card)
    studio.edit(card, "The sea, \x1b[31mcold")
    settle(studio)
    assert card.take.text == "The sea, [31mcold"
    node = kept(library, studio)[card.take.id]
    assert (node.kind, node.parent, node.text, node.starred) == ("edit", before.id, card.take.text, True)
    with pytest.raises(UsageProblem, match="not known"):
        studio.go_from(card, 1)
    studio.edit(card, card.take.text)  # nothing changed
    assert len(card.takes) == 2
    assert studio.deeds.undo() == "edit"
    settle(studio)
    assert card.take is before
    studio.deeds.redo()
    settle(studio)
    assert kept(library, studio)[node.id].text == card.take.text


def test_a_branch_becomes_the_text_to_continue(studio: Studio, library: Library) -> None:
    card = write(studio)[0]
    text, first = card.take.text.lstrip(), studio.page.node
    studio.branch(card)
    assert (studio.draft.text, studio.draft.mode) == (text, "continue")
    assert studio.deeds.undo() == "branch"
    assert studio.draft == Draft("sea")
    studio.deeds.redo()
    studio.write()
    settle(studio)
    assert studio.page.mode == "continue"
    assert studio.page.node != first
    assert first
    assert studio.page.node
    assert library.node(first).session == library.node(studio.page.node).session
    assert library.node(studio.page.node).origin["options"]["carry_on"] is True
    studio.branch(studio.page.cards[0])
    assert studio.draft.text == text + studio.page.cards[0].take.text


def test_the_knob_goes_to_what_is_being_written_and_a_new_router_keeps_its_place(
    studio: Studio, pair: ScriptedPair
) -> None:
    pair.gate.clear()
    studio.draft = Draft("sea")
    studio.write()
    pulled(studio, lambda: studio.scribe.job and studio.scribe.job.state == "writing")
    studio.steer(threshold=0.6)
    studio.steer(temperature=0.5)
    studio.steer(router="h")
    live = pair.sessions[0].steering
    assert live == studio.steering
    assert live.sampling.temperature == 0.5
    assert live.threshold == pytest.approx(1.02, abs=0.01)  # where p is 0.6
    studio.steer(router="punc")
    assert pair.sessions[0].steering.threshold is None
    with pytest.raises(UsageProblem, match="no threshold"):
        studio.steer(threshold=0.4)
    pair.gate.set()
    settle(studio)


def test_the_knob_of_a_calibrated_pair_is_bases_share(studio: Studio) -> None:
    studio.setup.entry = replace(
        studio.setup.entry,
        calibrations={"p": Calibration((0.2,), (0.5,), 0.3), "rand": Calibration((0.8,), (0.5,), 0.6)},
    )
    studio.steer(router="p")
    studio.steer(threshold=0.2)
    studio.steer(router="rand")
    assert studio.steering.threshold == pytest.approx(0.8)  # the same share
    studio.steer(router="aligned")
    studio.steer(router="p")
    assert studio.steering.threshold == 0.3  # the recommended one, where there was none to keep


def test_a_page_is_opened_again_as_it_was(studio: Studio, library: Library) -> None:
    cards = write(studio)
    studio.star(cards[1])
    studio.reroll(cards[1:2])
    settle(studio)
    studio.edit(cards[0], "something else")
    studio.reject(cards[3])
    settle(studio)
    assert studio.page.node
    texts = [[take.text for take in card.takes] for card in cards]
    node = studio.page.node
    studio.open(library.node(node))
    assert studio.page.cards is cards  # it is open already
    studio.page = Page()
    studio.open(library.node(node))
    assert studio.page.cards is not cards
    assert [[take.text for take in card.takes] for card in studio.page.cards] == texts
    opened = studio.page.cards
    assert opened[1].at == 0  # the star lies on top, whatever came later
    assert opened[1].take.starred
    assert opened[0].take.kind == "edit"
    assert opened[3].take.rejected
    assert studio.draft == Draft("sea")
    assert [token.id for token in studio.tokens(opened[2].take)] == [token.id for token in cards[2].take.tokens or ()]
    studio.reroll([opened[2]])
    settle(studio)
    assert kept(library, studio)[opened[2].take.id].parent == opened[2].takes[0].id


def test_a_model_that_fails_is_told_and_the_desk_goes_on(studio: Studio, pair: ScriptedPair) -> None:
    pair.problem = ModelProblem("base.gguf: is damaged")
    studio.draft = Draft("sea")
    studio.write()
    pulled(studio, lambda: studio.flow.problems)
    assert list(studio.flow.problems) == ["base.gguf: is damaged"]
    assert studio.page.cards == []
    studio.flow.problems.clear()
    pair.problem = None
    assert len(write(studio)) == 4


def test_without_a_library_everything_works_and_nothing_is_kept(studio: Studio) -> None:
    studio.library = studio.scribe.library = studio.books.library = None
    cards = write(studio)
    studio.star(cards[0])
    studio.reroll(cards[1:2])
    settle(studio)
    assert cards[0].take.starred
    assert studio.deeds.undo() == "reroll"
    studio.edit(cards[0], "mine")
    assert studio.deeds.undo() == "edit"


def test_a_library_that_cannot_be_written_is_told_once_and_writing_goes_on(
    studio: Studio, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(library, "record", refuse)
    studio.draft = Draft("sea")
    studio.write()
    pulled(studio, lambda: not studio.scribe.writing and all(take.done for take in studio.page.takes))
    assert [problem for problem in studio.flow.problems if "not kept in the library" in problem]
    assert all(take.text for take in studio.page.takes)


def test_export_takes_the_starred_ones(studio: Studio, tmp_path: Any) -> None:
    cards = write(studio)
    studio.star(cards[1])
    settle(studio)
    text = exported(studio, tmp_path / "ideas.md").read_text()
    assert cards[1].take.text.strip() in text
    assert text.count("\n- ") == 1
    assert exported(studio, tmp_path / "ideas.jsonl").read_text().count("\n") == 2  # with the prompt
    with pytest.raises(UsageProblem, match="there already"):
        exported(studio, tmp_path / "ideas.md")
    with pytest.raises(UsageProblem, match="says the format"):
        exported(studio, tmp_path / "ideas.doc")
    with pytest.raises(UsageProblem, match="can't be written"):
        exported(studio, tmp_path / "no" / "ideas.md")


def test_nothing_is_starred_before_it_begins(studio: Studio) -> None:
    with pytest.raises(UsageProblem, match="nothing is written there yet"):
        studio.star(Card([Take()]))


def test_undo_leaves_alone_what_was_never_written(studio: Studio, pair: ScriptedPair) -> None:
    cards = write(studio)
    studio.setup.n = 30
    pair.gate.clear()
    studio.more()
    pulled(studio, lambda: studio.scribe.job and studio.scribe.job.state == "writing")
    studio.stop()
    pair.gate.set()
    settle(studio)
    written = len(studio.page.cards)
    assert 4 <= written < 34
    assert studio.deeds.undo() == "more"
    assert len(studio.page.cards) == len(cards) == 4
    studio.deeds.redo()
    settle(studio)
    assert len(studio.page.cards) == written
    assert all(take.done for take in studio.page.takes)


def test_quitting_with_takes_that_wait_keeps_everything(studio: Studio, pair: ScriptedPair, library: Library) -> None:
    cards = write(studio)
    node = studio.page.node
    pair.gate.clear()
    studio.more()
    studio.reroll(cards[:1])  # while the job is not yet there
    studio.star(cards[1])
    pair.gate.set()
    studio.close()
    with Library(library.path) as again:
        assert [one.starred for one in again.ideas(node or "")][1]


def test_another_pairs_words_are_not_gone_on_from(studio: Studio) -> None:
    card = write(studio)[0]
    assert studio.ours(card.take)
    card.take.files = {"base": {"size": 5, "path": "/elsewhere"}, "aligned": {"size": 5, "path": "/elsewhere"}}
    assert not studio.ours(card.take)
    with pytest.raises(UsageProblem, match="another pair wrote this"):
        studio.go_from(card, 1)


def test_what_was_typed_comes_back_with_undo(studio: Studio) -> None:
    card = write(studio)[0]
    studio.type("sea and more")
    studio.branch(card)
    branch = studio.draft
    studio.type(branch.text + " and then")
    studio.deeds.undo()
    assert studio.draft.text == "sea and more"
    studio.deeds.redo()
    assert studio.draft.text == branch.text + " and then"
    studio.type("")
    assert studio.draft.mode == "instruct"


def test_a_page_goes_on_as_it_was_asked_for(studio: Studio, library: Library) -> None:
    write(studio)
    node = studio.page.node or ""
    with_own = {**library.node(node).origin, "options": {"system": "Be short.", "first": "router", "stop": ["."]}}
    name, recorder = library.record("tide", with_own)
    recorder.close()
    studio.open(library.node(name))
    request = studio.request(studio.page)
    assert (request.system, request.first, request.stop) == ("Be short.", "router", (".",))


def test_a_star_below_the_top_counts(studio: Studio, tmp_path: Any) -> None:
    cards = write(studio)
    studio.star(cards[0])
    starred = cards[0].take
    studio.reroll(cards[:1])
    settle(studio)
    studio.reroll_unstarred()
    settle(studio)
    assert [len(card.takes) for card in cards] == [2, 2, 2, 2]
    assert starred.text.strip() in exported(studio, tmp_path / "ideas.md").read_text()
    with pytest.raises(UsageProblem, match="~nobody-here"):
        exported(studio, tmp_path.__class__("~nobody-here/x.md"))


def test_a_temperature_leaves_a_base_share_alone(studio: Studio) -> None:
    studio.steering = Steering("p", base_share=0.4)
    studio.steer(temperature=0.7)
    assert studio.steering.base_share == 0.4
    studio.steer(threshold=0.2)
    assert studio.steering.base_share is None
