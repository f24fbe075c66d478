"""The app: screens, themes and manners around the studio. What can be done with ideas is in studio.py."""

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from textual.app import App, SystemCommand
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.widgets import TextArea

from baco_local.catalog.entries import PairEntry
from baco_local.errors import Problem, internal
from baco_local.library import Entry, Node
from baco_local.preferences import DeskPreferences
from baco_local.text import clean, words_of

from . import themes
from .desk import Card
from .keys import ACTS, EVERYWHERE, Act
from .screens.ask import Ask
from .screens.find import FindScreen
from .screens.help import HelpScreen
from .screens.pairs import PairsScreen
from .screens.words import Choice, WordsScreen
from .screens.workbench import Workbench
from .scribe import WritingPair
from .studio import Studio
from .terminal import numbers

RECALLED = 200  # earlier prompts


class Desk(App[None]):
    """opener: what loads a pair of the catalogue. ended_by: the signal that ended it, if one did. fault: what did, if
    it was a fault of this program."""

    TITLE = "baco-local"
    BINDINGS = [*(act.binding for act in EVERYWHERE)]
    CSS = """
    Desk.-plain HelpScreen > VerticalScroll, Desk.-plain FindScreen > Vertical, Desk.-plain FindScreen OptionList,
    Desk.-plain PairsScreen > Vertical, Desk.-plain PairsScreen OptionList, Desk.-plain CompareScreen VerticalScroll,
    Desk.-plain WordsScreen #words { border: none; }
    Desk.-plain Chart { display: none; }
    """
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self, studio: Studio, opener: Callable[[PairEntry], WritingPair], preferences: DeskPreferences | None = None
    ) -> None:
        super().__init__()
        self.studio, self.opener = studio, opener
        self.preferences = preferences or DeskPreferences()
        self.ended_by: int | None = None
        self.fault: Problem | None = None
        self.without_colours = "NO_COLOR" in os.environ
        for theme in themes.OWN:
            self.register_theme(theme)
        self.theme = self.preferences.theme
        self.set_keymap(dict(self.preferences.keys))
        self.warmed = False

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.defaults(self.current_theme.dark)

    def on_mount(self) -> None:
        if self.preferences.plain:
            self.animation_level = "none"
            self.add_class("-plain")
        loop = asyncio.get_running_loop()
        for number in numbers():
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; not the main thread
                loop.add_signal_handler(number, self.end_by, number)
        self.push_screen(Workbench(self.studio, plain=self.preferences.plain))
        if not self.studio.setup.entry.ready:
            self.call_after_refresh(self.choose_pair, first=True)

    @property
    def workbench(self) -> Workbench:
        return next(screen for screen in self.screen_stack if isinstance(screen, Workbench))

    # what is said

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        self.notify(clean(text), markup=False, severity=severity, timeout=4 if severity == "information" else 10)

    def complain(self, text: str) -> None:
        self.say(text, "error")

    def keys_of(self, act: Act) -> str:
        return self.preferences.keys.get(act.name, act.keys)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for act in ACTS:
            if isinstance(screen, Workbench):
                yield SystemCommand(act.label, act.help, lambda action=act.action: self.act(action))
        for act in EVERYWHERE:
            yield SystemCommand(act.label, act.help, lambda action=act.action: self.act(action))
        yield SystemCommand("theme", "other colours", self.action_change_theme)

    def act(self, action: str) -> None:
        self.call_next(self.run_action, action, self.screen)

    # pairs

    def ready(self) -> bool:
        """Is there a pair to write with? If not, one is chosen first."""
        if self.studio.setup.entry.ready:
            return True
        self.choose_pair(first=True)
        return False

    def models_are_here(self) -> bool:
        return self.studio.setup.entry.ready

    def expect_writing(self) -> None:
        """Somebody types: the models will be needed."""
        if not self.warmed and self.studio.setup.entry.ready:
            self.warmed = True
            self.studio.scribe.warm()

    def choose_pair(self, first: bool = False) -> None:
        def use(entry: PairEntry | None) -> None:
            if entry:
                opener = self.opener
                try:
                    self.studio.use(entry, lambda: opener(entry))
                except Problem as problem:
                    self.complain(str(problem))
                self.warmed = False
                self.workbench.tell()

        self.push_screen(PairsScreen(first=first), use)

    # pages

    def earlier_prompts(self) -> list[str]:
        return [entry.node.text for entry in self._history(RECALLED)]

    def last_session(self) -> Entry | None:
        return next(iter(self._history(1)), None)

    def _history(self, limit: int) -> list[Entry]:
        if not self.studio.library or not self.studio.library.path.exists():
            return []
        try:
            return self.studio.library.history(limit=limit)
        except (Problem, OSError) as problem:
            self.complain(str(problem))
            return []

    def find(self) -> None:
        library = self.studio.library
        if library is None:
            self.say("nothing is kept: history is off in config.toml")
            return
        if not library.path.exists():
            self.say("nothing was written yet")
            return

        def open(node: Node | None) -> None:
            if node:
                self.workbench.open(node)

        self.push_screen(FindScreen(library), open)

    def show_words(self, card: Card) -> None:
        def go(choice: Choice | None) -> None:
            if choice:
                self.workbench.do(self.studio.go_from, card, *choice)
            else:
                self.workbench.tell()

        self.push_screen(WordsScreen(self.studio, card), go)

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    # the terminal

    def in_editor(self, text: str) -> str | None:
        """The text after $EDITOR; None where there is none, or it failed."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if not editor:
            self.say("set EDITOR to the program to edit with; e edits here")
            return None
        with tempfile.TemporaryDirectory(prefix="baco-local-") as folder:
            file = Path(folder) / "idea.txt"
            file.write_text(text, encoding="utf-8")
            try:
                with self.suspend():
                    # on the terminal: descriptors 1 and 2 are elsewhere
                    done = subprocess.run([*words_of(editor), str(file)], stdout=sys.__stdout__, stderr=sys.__stderr__)
                if done.returncode:
                    self.complain(f"{editor} ended with {done.returncode}, so nothing was changed")
                    return None
                after = file.read_text(encoding="utf-8", errors="replace")
                return text if after in (text, text + "\n") else after.removesuffix("\n")
            except (OSError, ValueError) as error:
                self.complain(f"{editor}: {error}")
                return None

    def copy_to_clipboard(self, text: str) -> None:
        """Through pyperclip, where that is here and works, and through the terminal."""
        if importlib.util.find_spec("pyperclip"):
            import pyperclip

            with contextlib.suppress(Exception):  # its own, for systems without a clipboard
                pyperclip.copy(text)
        elif sys.platform == "darwin":  # whose Terminal does not let programs copy
            with contextlib.suppress(OSError):
                subprocess.run(["pbcopy"], input=text.encode(), check=False)
        super().copy_to_clipboard(text)

    def action_help_quit(self) -> None:
        """ctrl+c: copies what is selected; else it quits, and asks first if something is being written."""
        focused = self.focused
        if isinstance(focused, TextArea) and focused.selected_text:
            self.copy_to_clipboard(focused.selected_text)
        elif self.studio.scribe.writing:
            self._ask_first("Ideas are still being written. Stop, keep what is there, and quit?")
        else:
            self._quit()

    def _quit_if(self, yes: bool | None) -> None:
        if yes:
            self.leave()

    async def action_quit(self) -> None:
        self._quit()

    def _quit(self) -> None:
        if self.studio.scribe.unkept:
            self._ask_first(
                f"Not everything is in the library: {self.studio.scribe.unkept}\nQuit, and lose what is not?"
            )
        else:
            self.leave()

    def _ask_first(self, question: str) -> None:
        if not isinstance(self.screen, Ask):
            self.push_screen(Ask(question), self._quit_if)

    def end_by(self, number: int) -> None:
        self.ended_by = number
        self.leave()

    def leave(self) -> None:
        """What is being edited is kept first."""
        self.workbench.keep_edits()
        self.exit()

    def _fatal_error(self) -> None:
        """A fault of this program ends it with one line, not with a traceback over the terminal; that goes to the log."""
        import traceback

        error = sys.exc_info()[1]
        if isinstance(error, Exception):
            os.write(2, traceback.format_exc().encode())
            self.fault = internal(error)
        self._close_messages_no_wait()


def themes_known() -> list[str]:
    return [*(theme.name for theme in themes.OWN), *BUILTIN_THEMES]
