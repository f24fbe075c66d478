"""The other screens: words, finding, pairs; and what stands on the cards."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from desks import ScriptedPair, until, written
from textual.widgets import Input, OptionList, ProgressBar, Static

from baco_local.collaboration.settings import Steering
from baco_local.collaboration.variant import Token
from baco_local.library import Library
from baco_local.tui import pulling
from baco_local.tui.app import Desk
from baco_local.tui.desk import Card, Take
from baco_local.tui.screens.find import FindScreen
from baco_local.tui.screens.pairs import PairsScreen
from baco_local.tui.screens.words import WordsScreen
from baco_local.tui.screens.workbench import Workbench
from baco_local.tui.studio import Studio
from baco_local.tui.widgets.chart import Chart, heights
from baco_local.tui.widgets.grid import CardGrid
from baco_local.tui.widgets.slider import Slider
from baco_local.tui.widgets.trace import TraceText
from baco_local.tui.widgets.welcome import Welcome

SIZE = (120, 40)


def shown(app: Desk) -> str:
    """What stands on the screen, line by line."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


async def test_words_and_what_else_could_have_been_written(desk: Desk, pair: ScriptedPair) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        card = desk.studio.page.cards[0]
        old = card.take
        await pilot.press("t")
        await until(pilot, lambda: isinstance(desk.screen, WordsScreen))
        screen: Any = desk.screen
        trace = screen.query_one(TraceText)
        assert trace.cursor == next(at for at, token in enumerate(old.tokens or ()) if token.routed)
        await pilot.press("home", "right", "right", "left")
        assert trace.cursor == 1
        await until(pilot, lambda: screen.query_one("#base", OptionList).option_count == 4)
        listed = screen.query_one("#base", OptionList)
        listed.focus()
        chosen = screen.found[1][0][2].token
        await pilot.press("down", "down", "enter") if listed.highlighted == 0 else await pilot.press(
            "down", "down", "down", "enter"
        )
        await until(pilot, lambda: len(card.takes) == 2 and card.take.done)
        assert isinstance(desk.screen, Workbench)
        assert card.take.tokens
        assert card.take.tokens[:2] == [(old.tokens or [])[0], chosen]


async def test_enter_on_a_word_writes_on_from_there(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        card = desk.studio.page.cards[0]
        old = card.take
        await pilot.press("t", "home", "right", "enter")
        await until(pilot, lambda: len(card.takes) == 2 and card.take.done)
        assert (card.take.tokens or [])[:1] == (old.tokens or [])[:1]


async def test_the_knob_in_the_words_moves_the_line_and_the_parting(desk: Desk) -> None:
    async with desk.run_test(size=(160, 40)) as pilot:
        await written(pilot)
        card = next(card for card in desk.studio.page.cards if any(t.speaker == "base" for t in card.take.tokens or ()))
        desk.workbench.grid.go_to(desk.studio.page.cards.index(card))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(desk.screen, WordsScreen))
        screen: Any = desk.screen
        assert screen.query_one(TraceText).parted is None
        screen.query_one(Slider).turn_to(0.1)
        await pilot.pause()
        parted = screen.query_one(TraceText).parted
        assert parted is not None
        await pilot.press("home", "f")
        assert screen.query_one(TraceText).cursor == parted
        await until(pilot, lambda: "here it would go the other way now" in shown(desk))
        await pilot.press("right_curly_bracket", "escape")
        assert desk.studio.steering.threshold == pytest.approx(0.2)
        assert desk.workbench.query_one(Slider).value == pytest.approx(0.2)


async def test_words_of_an_edit_say_that_nothing_is_known(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        desk.workbench.do(desk.studio.edit, desk.studio.page.cards[0], "mine")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(desk.screen, WordsScreen))
        assert "is not known" in shown(desk)
        await pilot.press("enter", "right", "escape")
        assert isinstance(desk.screen, Workbench)


def test_the_chart_is_about_base_and_its_line_is_the_threshold() -> None:
    tokens = [Token("a", 1, "base", True, 0.5, 0.25, 3.0), Token("b", 1, "aligned", False, 0.5, None, None)]
    assert heights(tokens, Steering("p", 0.35)) == ([0.75, None], 0.65)  # base's place is above the line
    assert heights(tokens, Steering("h", 1.5)) == ([0.5, None], 0.25)
    assert heights(tokens, Steering("rand", 0.5))[1] is None
    assert heights(tokens, Steering("punc"))[1] is None


async def test_the_chart_follows_the_cursor_through_a_long_text(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        chart = Chart()
        await desk.workbench.mount(chart)
        await pilot.pause()
        tokens = [Token("a", 1, "base", True, 0.5, n % 10 / 10, 3.0) for n in range(1000)]
        for cursor in (0, 500, 999):
            chart.tell(tokens, Steering("p", 0.35), cursor)
            lines = str(chart.render()).split("\n")
            assert "▲" in lines[-1]
            assert max(map(len, lines)) <= chart.size.width
        await pilot.pause()


async def test_finding_and_opening_again(desk: Desk, library: Library) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot, "sea")
        await pilot.press("2", "s", "i", *" tide", "ctrl+g")
        await until(pilot, lambda: desk.studio.page.prompt == "sea tide" and not desk.studio.scribe.writing)
        await until(pilot, lambda: library.history(starred=True))
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(desk.screen, FindScreen) and desk.screen.nodes)
        screen: Any = desk.screen
        assert [node.text for node in screen.nodes] == ["sea tide", "sea"]
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(screen.nodes) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: desk.studio.page.prompt == "sea")
        assert desk.workbench.prompt.text == "sea"
        assert desk.studio.page.cards[1].take.starred
        text = desk.studio.page.cards[3].take
        await pilot.press("slash", *text.text.split()[0].strip(".,"))
        await until(pilot, lambda: isinstance(desk.screen, FindScreen) and desk.screen.nodes)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(desk.screen, Workbench))
        await pilot.press("f2", *"nowhere")
        await until(pilot, lambda: "nothing found" in shown(desk))
        await pilot.press("enter", "escape")


async def test_what_was_written_last_is_offered(
    desk: Desk, studio: Studio, pair: ScriptedPair, library: Library
) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot, "sea")
    again = Desk(studio, lambda entry: pair)
    studio.page.cards = []
    async with again.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "sea (4 ideas)" in str(again.workbench.query_one(Welcome).content)
        await pilot.press("alt+up")
        assert again.workbench.prompt.text == "sea"


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one's own with a pair that isn't here."""
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "models.toml").write_text(
        '[pairs.far]\ntitle = "Far"\nlicence = "MIT"\nbase = { source = "hf:o/r/m.gguf" }\naligned = { same = true }\n'
    )
    monkeypatch.setenv("BACO_LOCAL_HOME", str(home))
    return home


async def test_a_first_run_pulls_inside_the_app(desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from baco_local.catalog.reading import read_catalog

    steps = asyncio.Event()

    def pull(entry: Any, progress: Any) -> None:
        progress.say("licence: MIT")
        progress.begin("base: m.gguf", 100)
        for done in range(0, 101, 10):
            progress.at(done)
            while not steps.is_set() and not progress.stopped:
                pass
        progress.end()
        entry.base.path.parent.mkdir(parents=True)
        entry.base.path.touch()

    monkeypatch.setattr(pulling, "pull", pull)
    desk.studio.setup.entry = read_catalog().pair("far")
    async with desk.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: isinstance(desk.screen, PairsScreen) and desk.screen.entries)
        screen: Any = desk.screen
        names = [entry.name for entry in screen.entries]
        assert "these are not here yet" in shown(desk)
        screen.query_one(OptionList).highlighted = names.index("far")
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one(ProgressBar).display)
        await pilot.press("escape")
        await until(pilot, lambda: "stopped; what has come is kept" in str(screen.query_one("#said", Static).content))
        steps.set()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(desk.screen, Workbench))
        assert desk.studio.setup.entry.name == "far"
        assert desk.studio.setup.entry.ready


async def test_writing_without_a_pair_asks_for_one(desk: Desk, far: Path) -> None:
    from baco_local.catalog.reading import read_catalog

    desk.studio.setup.entry = read_catalog().pair("far")
    async with desk.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: isinstance(desk.screen, PairsScreen))
        await pilot.press("escape", *"sea", "ctrl+g")
        await until(pilot, lambda: isinstance(desk.screen, PairsScreen))
        await pilot.press("escape")
        assert desk.workbench.prompt.text == "sea"


async def test_a_thousand_cards_open_at_once(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await pilot.pause()
        desk.studio.page.cards = [
            Card([Take(text=f" idea {n} " * (n % 30 + 1), tokens=[], stop="end")]) for n in range(1000)
        ]
        desk.workbench.tell()
        await pilot.pause()
        grid = desk.workbench.query_one(CardGrid)
        grid.focus()
        assert "idea 0" in shown(desk)
        await pilot.press("end")
        assert "idea 999" in shown(desk)
        for digit, when in (("5", 1.0), ("0", 1.2), ("0", 1.4)):
            grid.key_number(digit, when)
        await pilot.pause()
        assert grid.current == 499
        grid.key_number("7", 3.0)  # later: a number of its own
        assert grid.current == 6
        grid.go_to(499)
        await pilot.pause()
        assert "idea 499" in shown(desk)


HOSTILE = "[b]bold[/b] [/] \x1b[31mred\x1b]0;title\x07 [@click=app.quit]x[/] 東京 \u202eright 👩‍👩‍👧 e\u0301 \t tab\r\n\n\n\nend"


async def test_text_is_shown_as_text(desk: Desk, studio: Studio) -> None:
    """No markup, no escape codes, whatever a model, a prompt or an edit says."""
    from baco_local.text import clean

    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        card = desk.studio.page.cards[0]
        desk.workbench.do(studio.edit, card, HOSTILE)
        await pilot.pause()
        assert "[b]bold[/b] [/]" in shown(desk)
        assert card.take.text == clean(HOSTILE)
        assert "\x1b" not in shown(desk)
        for width in (40, 61, 120, 239):
            await pilot.resize_terminal(width, 30)
            await pilot.pause()
            assert "\x1b" not in shown(desk)
        desk.workbench.prompt.set_text(HOSTILE)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: not desk.studio.scribe.writing)
        desk.complain(HOSTILE)
        desk.say(HOSTILE)
        await pilot.pause()
        await pilot.press("c", "2", "c")
        await pilot.pause(0.2)
        await pilot.press("escape", "f2")
        await pilot.pause(0.3)
        await pilot.press("escape")
        assert desk.query_one  # still there


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (240, 70), (20, 6)])
async def test_every_size(desk: Desk, size: tuple[int, int]) -> None:
    async with desk.run_test(size=size) as pilot:
        await written(pilot)
        columns = min(4, max(1, size[0] // 38))
        assert desk.workbench.grid._columns == columns
        for key in ("t", "f1", "f2", "f4"):
            await pilot.press(key)
            await pilot.pause(0.2)
            await pilot.press("escape")
        assert isinstance(desk.screen, Workbench)


async def test_plain_has_no_borders_and_nothing_that_moves(desk: Desk, studio: Studio, pair: ScriptedPair) -> None:
    from baco_local.preferences import DeskPreferences

    plain = Desk(studio, lambda entry: pair, DeskPreferences(plain=True))
    async with plain.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("2", "s")
        text = shown(plain)
        assert not set("╭╮╰╯│┏┓┗┛┃▌⠋⠙⠹⠸") & set(text)
        assert "> 2. starred" in text
        assert plain.animation_level == "none"


async def test_input_box_of_find_is_an_input(desk: Desk) -> None:
    async with desk.run_test(size=SIZE) as pilot:
        await written(pilot)
        await pilot.press("f2", *"sq")
        await pilot.pause()
        assert desk.screen.query_one(Input).value == "sq"  # letters are typed, not keys
