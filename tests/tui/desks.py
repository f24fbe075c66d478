"""A scripted pair for the desk: words at once, or only when the test lets them through; and waiting for what comes."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from scripted import END, Distribution, ScriptedSide, engine
from textual.pilot import Pilot

from baco_local.collaboration.engine import Engine
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Beginning
from baco_local.tui.studio import Studio

WORDS = [" sea", " sun", " tide", " moon", " wolf", " light", ".", ","]


def base(text: str) -> Distribution:
    if text.endswith(" sea"):
        return {" sun": 0.9, " tide": 0.1}
    return {" sun": 0.25, " moon": 0.25, " wolf": 0.25, " light": 0.25}


def aligned(text: str) -> Distribution:
    if text.endswith("."):
        return {END: 1.0}
    return {" sea": 0.5, " tide": 0.35, ".": 0.15}


class ScriptedPair:
    """Words come while `gate` is open. sessions: all that were asked for."""

    def __init__(self) -> None:
        self.name, self.warnings = "scripted", list[str]()
        self.gate = threading.Event()
        self.gate.set()
        self.sessions: list[Session] = []
        self.closed = False
        self.problem: Exception | None = None
        self.engine: Engine = engine(
            ScriptedSide("base", WORDS, self.gated(base)), ScriptedSide("aligned", WORDS, self.gated(aligned))
        )

    def gated(self, script: Callable[[str], Distribution]) -> Callable[[str], Distribution]:
        def run(text: str) -> Distribution:
            assert self.gate.wait(30)
            return script(text)

        return run

    def session(
        self, request: Request, steering: Steering, *, beginnings: tuple[Beginning, ...], force: bool
    ) -> Session:
        if self.problem:
            raise self.problem
        self.sessions.append(Session(self.engine, request, steering, beginnings).start())
        return self.sessions[-1]

    def close(self) -> None:
        self.closed = True


async def until(pilot: Pilot[Any], holds: Callable[[], object], seconds: float = 20.0) -> None:
    """A single pause is too short on one machine and long enough on another."""
    for _ in range(int(seconds / 0.05)):
        await pilot.pause()
        if holds():
            await pilot.pause()
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to that")


async def written(pilot: Pilot[Any], prompt: str = "sea") -> None:
    """Types a prompt and waits until all of its ideas are done."""
    app: Any = pilot.app
    await pilot.press(*prompt, "ctrl+g")
    await until(pilot, lambda: app.studio.page.cards and all(take.done for take in app.studio.page.takes))
    await until(pilot, lambda: not app.studio.scribe.writing)


def pulled(studio: Studio, holds: Callable[[], object], seconds: float = 20.0) -> None:
    """The same without a screen."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        studio.flow.pull()
        time.sleep(0.01)
