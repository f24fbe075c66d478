"""Screens that give an answer give one: two keys pressed in a hurry reach a screen before it is gone."""

import asyncio

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType


class Answering(Screen[ScreenResultType]):
    """The first answer counts."""

    answered = False

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        if self.answered:
            return AwaitComplete(asyncio.sleep(0))
        self.answered = True
        return super().dismiss(result)
