"""Screens that give an answer give one: two keys pressed in a hurry reach a screen before it is gone."""

import asyncio

from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.screen import Screen, ScreenResultType


class Answering(Screen[ScreenResultType]):
    """The first answer counts. (A modal screen has none of the app's keys, so those that quit are its own.)"""

    BINDINGS = [
        Binding("ctrl+q", "app.quit", "quit", show=False),
        Binding("ctrl+c", "app.help_quit", "quit", show=False),
    ]
    answered = False

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        if self.answered:
            return AwaitComplete(asyncio.sleep(0))
        self.answered = True
        return super().dismiss(result)
