"""What the desk looks like. A change here is looked at, and if it is right taken over with `pytest --snapshot-update`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import textual
from desks import until, written
from textual.pilot import Pilot

from baco_local.tui.app import Desk
from baco_local.tui.studio import Studio

pytestmark = pytest.mark.skipif(textual.__version__ != "8.2.8", reason="another Textual draws differently")
Snap = Callable[..., bool]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing blinks, and nothing says how long it took."""
    from textual.widgets import Input, TextArea

    from baco_local.tui.flow import Pace

    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda self: None)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    monkeypatch.setattr(Pace, "rate", property(lambda self: 0.0))


def look(snap_compare: Snap, desk: Desk, before: Any = None, size: tuple[int, int] = (110, 34)) -> None:
    assert snap_compare(desk, run_before=before, terminal_size=size)


def test_empty(snap_compare: Snap, desk: Desk) -> None:
    look(snap_compare, desk)


def test_written(snap_compare: Snap, desk: Desk) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await written(pilot, "sea")
        await pilot.press("2", "s", "4", "x")
        desk.workbench.controls.slider.turn_to(0.2)
        await pilot.pause()

    look(snap_compare, desk, before)


def test_words(snap_compare: Snap, desk: Desk) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await written(pilot, "sea")
        await pilot.press("t")
        await until(pilot, lambda: getattr(desk.screen, "found", None))
        await pilot.pause()

    look(snap_compare, desk, before)


def test_narrow(snap_compare: Snap, desk: Desk) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await written(pilot, "sea")

    look(snap_compare, desk, before, (60, 20))


def test_without_colours(snap_compare: Snap, studio: Studio, pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    desk = Desk(studio, lambda entry: pair)

    async def before(pilot: Pilot[Any]) -> None:
        await written(pilot, "sea")

    look(snap_compare, desk, before)


def test_first_run(snap_compare: Snap, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from baco_local.catalog import entries
    from baco_local.catalog.reading import read_catalog
    from baco_local.tui.screens import pairs

    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pairs, "free_memory", lambda: 4_000_000_000)
    monkeypatch.setattr(entries.PairEntry, "ready", property(lambda self: False))
    desk.studio.setup.entry = read_catalog().pair("starter")

    async def before(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: getattr(desk.screen, "entries", None))
        await pilot.pause(0.5)

    look(snap_compare, desk, before)
