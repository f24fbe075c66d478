"""Keeps a run in the library, or says why not: writing goes on whatever becomes of the library."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import click

from baco_local.errors import Problem
from baco_local.text import clean


class Keeping:
    """In `with`. say: where narration goes; complaints go to stderr even where there is none. wanted: by this
    command; the preferences have a say too."""

    def __init__(self, say: Callable[[str], None], wanted: bool) -> None:
        from baco_local import preferences

        self.say, self.wanted = say, wanted and preferences.read().history
        self.library: Any = None
        self.recorder: Any = None
        self.prompt = ""
        self.complained = False
        self.ids: dict[int, str] = {}

    def begin(self, prompt: str, origin: Mapping[str, Any], below: str | None = None, shown: str = "") -> None:
        """A new prompt, or more below a node that is there. shown: the id under which all of it is seen afterwards."""
        if not self.wanted:
            return
        from baco_local.library import Library

        try:
            self.library = Library()
            if below is None:
                self.prompt, self.recorder = self.library.record(prompt, origin)
            else:
                self.prompt, self.recorder = shown or below, self.library.record_below(below, origin)
        except (Problem, OSError) as problem:
            self.complain(problem)

    def tell(self, event: Any) -> None:
        if self.recorder:
            self.recorder.tell(event)
            if self.recorder.problem:
                self.complain(self.recorder.problem)

    def id_of(self, index: int) -> str:
        """What the idea is called in the library; a name of the same kind where there is none."""
        if self.recorder:
            return str(self.recorder.id_of(index))
        from baco_local.library import ids

        return self.ids.setdefault(index, ids.new())

    def complain(self, problem: Exception) -> None:
        if not self.complained:
            self.say("")
            click.echo(clean(f"note: not kept in the library: {problem}"), err=True)
            self.complained = True

    def __enter__(self) -> "Keeping":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.recorder:
                self.recorder.close()
                if any(piece.done for piece in self.recorder.pieces.values()):
                    self.say(f"kept: baco-local show {self.prompt}")
        except (Problem, OSError) as problem:
            self.complained = False
            self.complain(problem)
        finally:
            if self.library:
                self.library.close()
