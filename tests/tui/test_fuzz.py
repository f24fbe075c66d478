"""Random keys for a minute: the desk stays up, and the library stays whole and says what the page says."""

import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from desks import ScriptedPair, until

from baco_local.library import Library
from baco_local.tui.app import Desk
from baco_local.tui.keys import ACTS, EVERYWHERE
from baco_local.tui.screens.workbench import Workbench

SECONDS = 60.0
LEFT_OUT = {"ctrl+q", "ctrl+z", "E", "ctrl+c"}  # they leave the app
KEYS = [key for act in (*ACTS, *EVERYWHERE) for key in act.keys.split(",") if key not in LEFT_OUT]
KEYS += [
    "left",
    "right",
    "up",
    "down",
    "home",
    "end",
    "pageup",
    "pagedown",
    "tab",
    "shift+tab",
    "space",
    "backspace",
    "delete",
]
KEYS += ["f6", "f7", "alt+up", "alt+down", "ctrl+p", "ctrl+a", "ctrl+x", "ctrl+v", *"123456789 asdkqzé東[]"]


@pytest.mark.parametrize("seed", [1])
async def test_random_keys(
    desk: Desk, pair: ScriptedPair, library: Library, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # exports go somewhere
    chance = random.Random(seed)
    studio: Any = desk.studio
    pressed: list[str] = []
    end = time.monotonic() + SECONDS
    async with desk.run_test(size=(100, 30)) as pilot:
        await pilot.press(*"sea", "ctrl+g")
        while time.monotonic() < end:
            if chance.random() < (0.02 if pair.gate.is_set() else 0.3):
                pair.gate.clear() if pair.gate.is_set() else pair.gate.set()
            if chance.random() < 0.02:
                await pilot.resize_terminal(chance.randint(20, 200), chance.randint(6, 60))
            if chance.random() < 0.1 and isinstance(desk.screen, Workbench):
                desk.workbench.grid.focus()
            if len(studio.page.cards) > 60:
                studio.stop()
                desk.workbench.prompt.set_text("".join(chance.choices(["sea", " tide", " x", "\n"], k=3)))
            keys = chance.choices(KEYS, k=5)
            pressed += keys
            try:
                await pilot.press(*keys)
            except Exception as problem:
                raise AssertionError(f"seed {seed}, the last keys were {pressed[-30:]}") from problem
            assert desk.is_running, pressed[-30:]
        pair.gate.set()
        studio.stop()
        await until(pilot, lambda: not studio.scribe.writing, 60)
        studio.books.settle()
        studio.flow.pull()
        shown = {take.id: take for card in studio.page.cards for take in card.takes if take.id}
        node = studio.page.node
    found = {one.id: one for one in library.ideas(node)} if node else {}
    assert {id: take.text for id, take in shown.items()} == {id: one.text for id, one in found.items()}
    for id, take in shown.items():
        assert (take.starred, take.rejected) == (found[id].starred, found[id].rejected)
    pages = library.history(limit=1000)
    assert len(pages) > 1
    assert sum(page.ideas for page in pages) > 10, "the keys did nothing"
    whole = sqlite3.connect(library.path).execute("PRAGMA integrity_check").fetchone()
    assert whole == ("ok",)
