"""Every key of the workbench does what the help says, over a scripted pair."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from desks import ScriptedPair, until, written
from textual.widgets import Input, Select, TextArea

from baco_local.library import Library
from baco_local.tui.app import Desk
from baco_local.tui.desk import Card
from baco_local.tui.keys import ACTS, EVERYWHERE
from baco_local.tui.screens.ask import Ask, AskText
from baco_local.tui.screens.compare import CompareScreen
from baco_local.tui.screens.find import FindScreen
from baco_local.tui.screens.help import HelpScreen
from baco_local.tui.screens.pairs import PairsScreen
from baco_local.tui.screens.words import WordsScreen
from baco_local.tui.screens.workbench import Workbench
from baco_local.tui.widgets.edit import EditBox
from baco_local.tui.widgets.grid import CardGrid
from baco_local.tui.widgets.slider import Slider

SIZE = (130, 40)


def current(app: Desk) -> Card:
    card = app.workbench.grid.card
    assert card
    return card


async def test_writing_and_stopping(desk: Desk, pair: ScriptedPair) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert isinstance(desk.focused, TextArea)
        assert desk.studio.steering.router == "p"  # as it was given, not the first of the list
        pair.gate.clear()
        await pilot.press(*"sea", "f5")
        await until(pilot, lambda: len(desk.studio.page.cards) == 4)
        await until(pilot, lambda: desk.studio.scribe.job and desk.studio.scribe.job.state == "writing")
        await pilot.press("escape")
        pair.gate.set()
        await until(pilot, lambda: not desk.studio.scribe.writing)
        assert desk.is_running  # escape never quits
        await pilot.press("escape", "escape")
        assert desk.is_running


async def test_focus_by_numbers_and_arrows(desk: Desk) -> None:
    desk.studio.setup.n = 12
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        grid = desk.workbench.grid
        assert grid.has_focus
        for keys, at in (
            (["3"], 2),
            (["right"], 3),
            (["left"], 2),
            (["down"], 5),
            (["up"], 2),
            (["end"], 11),
            (["home"], 0),
        ):
            await pilot.press(*keys)
            assert grid.current == at, keys
        grid.key_number("1", 1.0)
        grid.key_number("2", 1.2)
        assert grid.current == 11
        await pilot.press("down", "right")
        assert grid.current == 11
        await pilot.press("ctrl+n")
        assert grid.current == 0


async def test_star_reject_undo_redo(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("2", "s")
        card = current(desk)
        assert card.take.starred
        await pilot.press("x")
        assert (card.take.starred, card.take.rejected) == (False, True)
        await pilot.press("u")
        assert card.take.starred
        await pilot.press("U")
        assert card.take.rejected
        await pilot.press("i", "ctrl+s")  # while typing
        assert card.take.starred
        await pilot.press("ctrl+l")
        assert card.take.rejected


async def test_rerolls_and_takes(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("2", "s", "3", "r")
        await until(pilot, lambda: len(current(desk).takes) == 2 and current(desk).take.done)
        assert current(desk).at == 1
        await pilot.press("comma")
        assert current(desk).at == 0
        await pilot.press("full_stop")
        assert current(desk).at == 1
        await pilot.press("shift+left")
        assert current(desk).at == 0
        await pilot.press("shift+right", "R")
        await until(pilot, lambda: not desk.studio.scribe.writing and all(take.done for take in desk.studio.page.takes))
        assert [len(card.takes) for card in desk.studio.page.cards] == [2, 1, 3, 2]
        await pilot.press("m")
        await until(pilot, lambda: len(desk.studio.page.cards) == 8 and not desk.studio.scribe.writing)


async def test_the_knob(desk: Desk, pair: ScriptedPair) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.pause()
        studio = desk.studio
        for key, threshold in (("f7", 0.36), ("f6", 0.34)):
            await pilot.press(key)
            assert studio.steering.threshold == pytest.approx(threshold)
        await written(pilot)
        before = studio.steering.threshold
        assert before is not None
        for keys in (["right_square_bracket"], ["left_square_bracket"], ["right_curly_bracket", "left_curly_bracket"]):
            await pilot.press(*keys)
        assert studio.steering.threshold == pytest.approx(before)
        slider = desk.workbench.query_one(Slider)
        slider.focus()
        await pilot.press("right", "shift+right", "l", "plus")
        assert studio.steering.threshold == pytest.approx(before + 0.16, abs=0.011)
        await pilot.press("home")
        assert studio.steering.threshold == 0
        await pilot.press("end")
        assert studio.steering.threshold == 1
        await pilot.mouse_down(slider, offset=(10, 0))
        await pilot.hover(slider, offset=(25, 0))
        await pilot.mouse_up(slider, offset=(25, 0))
        assert 0 < studio.steering.threshold < 1
        at = studio.steering.threshold
        slider.post_message(scrolled(slider))
        await pilot.pause()
        assert studio.steering.threshold > at


def scrolled(slider: Slider) -> Any:
    from textual.events import MouseScrollUp

    return MouseScrollUp(slider, 5, 0, 0, 0, 0, False, False, False)


async def test_router_number_and_temperature(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.pause()
        bench, studio = desk.workbench, desk.studio
        bench.query_one("#router", Select).value = "h-punc"
        await pilot.pause()
        assert studio.steering.router == "h-punc"
        assert "nats" in bench.query_one(Slider).shown
        bench.query_one("#router", Select).value = "punc"
        await pilot.pause()
        assert bench.query_one(Slider).disabled
        await pilot.press("f7")
        assert studio.steering.threshold is None
        count = bench.query_one("#count", Input)
        count.focus()
        await pilot.press("backspace", "7")
        assert studio.setup.n == 7
        await pilot.press("backspace", "0")
        assert studio.setup.n == 7
        assert count.has_class("-invalid")
        temperature = bench.query_one("#temperature", Input)
        temperature.focus()
        await pilot.press("backspace", *"0.5")
        assert studio.steering.sampling.temperature == 0.5
        await pilot.press("home", "9")
        assert studio.steering.sampling.temperature == 0.5
        assert temperature.has_class("-invalid")


async def test_the_other_way(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("f")
        assert all(len(card.takes) == 1 for card in desk.studio.page.cards)
        desk.workbench.query_one(Slider).turn_to(0.1)
        await pilot.pause()
        parted = [index for index, card in enumerate(desk.studio.page.cards) if desk.studio.parting(card.take)]
        assert parted
        await pilot.press(str(parted[0] + 1), "f9")
        await until(pilot, lambda: len(current(desk).takes) == 2 and current(desk).take.done)
        await pilot.press("F")
        await until(pilot, lambda: not desk.studio.scribe.writing and all(t.done for t in desk.studio.page.takes))
        assert [len(card.takes) == 2 for card in desk.studio.page.cards] == [n in parted for n in range(4)]


async def test_branch_and_mode(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        text = current(desk).take.text.lstrip()
        await pilot.press("b")
        assert desk.workbench.prompt.text == text
        assert desk.workbench.prompt.has_focus
        assert desk.workbench.prompt.border_title == "the text to continue"
        await pilot.press("f10")
        assert desk.studio.draft.mode == "instruct"
        await pilot.press("f10", "escape", "u")
        assert desk.workbench.prompt.text == "sea"
        await pilot.press("U", "ctrl+g")
        await until(pilot, lambda: desk.studio.page.prompt == text and not desk.studio.scribe.writing)
        assert desk.studio.page.mode == "continue"


async def test_editing_in_place(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("2", "e")
        await pilot.pause()
        box = desk.workbench.query_one(EditBox)
        assert box.has_focus
        assert box.region.x > 20  # over the second card
        await pilot.press(*" end", "escape")
        await until(pilot, lambda: current(desk).take.text.endswith(" end"))
        assert not desk.workbench.query(EditBox)
        assert current(desk).take.kind == "edit"
        await pilot.press("u")
        assert len(current(desk).takes) == 1


async def test_editing_in_an_editor(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def editor(command: list[str], **_: Any) -> Any:
        assert command[:2] == ["ed", "-x"]
        file = Path(command[-1])
        file.write_text(file.read_text() + "!\n")
        return subprocess.CompletedProcess(command, 0)

    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        monkeypatch.delenv("EDITOR", raising=False)
        monkeypatch.delenv("VISUAL", raising=False)
        await pilot.press("E")
        assert len(current(desk).takes) == 1
        monkeypatch.setenv("EDITOR", "ed -x")
        monkeypatch.setattr(subprocess, "run", editor)
        monkeypatch.setattr(type(desk._driver), "can_suspend", True)
        await pilot.press("E")
        assert current(desk).take.text.endswith("!")
        monkeypatch.setenv("EDITOR", "'")
        await pilot.press("E")
        assert len(current(desk).takes) == 2


async def test_copying(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("y")
        assert desk.clipboard == current(desk).take.text.strip()


async def test_comparing(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("2", "c", "4", "c")
        await until(pilot, lambda: isinstance(desk.screen, CompareScreen))
        await pilot.press("2")
        assert desk.studio.page.cards[3].take.starred
        await pilot.press("1", "escape")
        assert desk.studio.page.cards[1].take.starred
        assert isinstance(desk.screen, Workbench)


async def test_exporting(desk: Desk, tmp_path: Path) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(desk.screen, AskText))
        desk.screen.query_one(Input).value = str(tmp_path / "ideas.txt")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "ideas.txt").exists())
        await pilot.press("w", "escape")
        assert isinstance(desk.screen, Workbench)


async def test_marks_are_shown_or_hidden(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        grid = desk.workbench.query_one(CardGrid)
        assert grid.marks
        await pilot.press("v")
        assert not grid.marks


@pytest.mark.parametrize(
    ("key", "screen"),
    [("f1", HelpScreen), ("question_mark", HelpScreen), ("slash", FindScreen), ("f2", FindScreen), ("f4", PairsScreen),
     ("t", WordsScreen), ("f3", WordsScreen), ("enter", WordsScreen)],
)  # fmt: skip
async def test_screens_open_and_close(desk: Desk, key: str, screen: type[Any]) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(desk.screen, screen))
        await pilot.pause(0.1)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(desk.screen, Workbench))


async def test_ctrl_c_asks_only_while_something_is_written(desk: Desk, pair: ScriptedPair) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        pair.gate.clear()
        await pilot.press(*"sea", "ctrl+g")
        await until(pilot, lambda: desk.studio.scribe.job and desk.studio.scribe.job.state == "writing")
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(desk.screen, Ask))
        await pilot.press("n")
        assert desk.is_running
        desk.studio.stop()
        pair.gate.set()
        await until(pilot, lambda: not desk.studio.scribe.writing)
        desk.workbench.prompt.focus()
        await pilot.press("home", "shift+end", "ctrl+c")
        assert desk.clipboard == "sea"
        assert desk.is_running
        await pilot.press("end", "ctrl+c")
        await pilot.pause()
        assert not desk.is_running


async def test_earlier_prompts_come_back(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot, "sea")
        await pilot.press("i", *" tide", "ctrl+g")
        await until(pilot, lambda: desk.studio.page.prompt == "sea tide" and not desk.studio.scribe.writing)
        prompt = desk.workbench.prompt
        await pilot.press("i", "!", "alt+up")
        assert prompt.text == "sea tide"
        await pilot.press("alt+up")
        assert prompt.text == "sea"
        await pilot.press("alt+up", "alt+down")
        assert prompt.text == "sea tide"
        await pilot.press("alt+down")
        assert prompt.text == "sea tide!"


async def test_the_palette_has_every_action(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.pause()
        titles = [command.title for command in desk.get_system_commands(desk.screen)]
        assert titles[: len(ACTS) + len(EVERYWHERE)] == [act.label for act in (*ACTS, *EVERYWHERE)]
        await written(pilot)
        await pilot.press("ctrl+p", *"reject", "enter")
        await until(pilot, lambda: current(desk).take.rejected)


def test_no_key_does_two_things() -> None:
    keys = [key for act in (*ACTS, *EVERYWHERE) for key in act.keys.split(",")]
    assert len(keys) == len(set(keys))


async def test_keys_can_be_set(desk: Desk, studio: Any, pair: ScriptedPair) -> None:
    from baco_local.preferences import DeskPreferences

    other = Desk(studio, lambda entry: pair, DeskPreferences(keys={"star": "k,f12"}))
    async with other.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("s")
        assert not current(other).take.starred
        await pilot.press("k")
        assert current(other).take.starred
        await pilot.press("f12")
        assert not current(other).take.starred


async def test_what_is_pressed_on_an_empty_desk_does_nothing(desk: Desk, library: Library) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("escape", "tab")
        for act in ACTS:
            if act.name not in ("find", "pairs", "write"):
                await desk.run_action(act.action, desk.screen)
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert isinstance(desk.screen, Workbench)
        assert not library.path.exists()


@pytest.mark.parametrize("ending", ["tab", "ctrl+q", "escape"])
async def test_an_edit_is_kept_whatever_ends_it(desk: Desk, library: Library, ending: str) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("e", *" end", ending)
        await pilot.pause()
    desk.studio.books.settle()
    assert any(node.text.endswith(" end") for node in library.ideas(desk.studio.page.node or ""))


async def test_a_refused_write_leaves_the_focus_in_the_prompt(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+g", *"abc")
        assert desk.workbench.prompt.text == "abc"


async def test_enter_waits_for_its_own_search(desk: Desk, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        search = library.search

        def slow(*arguments: Any, **options: Any) -> Any:
            time.sleep(0.5)
            return search(*arguments, **options)

        monkeypatch.setattr(library, "search", slow)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(desk.screen, FindScreen) and desk.screen.nodes)
        await pilot.press(*"zzzz", "enter")
        await until(pilot, lambda: getattr(desk.screen, "searched", None) == "zzzz")
        assert isinstance(desk.screen, FindScreen)
