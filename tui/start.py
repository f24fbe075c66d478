"""Opens the desk on this terminal, and leaves the terminal and the library as they should be, whatever happens."""

import contextlib
import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from baco_local import paths, preferences
from baco_local.catalog.entries import PairEntry
from baco_local.errors import Problem, UsageProblem
from baco_local.library import Library
from baco_local.pair import open_entry, own_steering

from .app import Desk, themes_known
from .desk import Draft, Setup
from .keys import BY_NAME
from .scribe import Scribe, WritingPair
from .studio import Studio
from .terminal import end_by, private_terminal, take_any_bytes

LARGE = 1_000_000  # bytes of the log of native output, from which on it begins anew


def start(entry: PairEntry, given: Mapping[str, Any]) -> int:
    """Runs the app until the writer leaves it; returns the exit code. given: the options of the command `tui`."""
    wishes = preferences.read()
    desk = checked(wishes.desk)
    log = paths.made("state") / "desk.log"
    with contextlib.suppress(OSError):  # another desk may have it open
        if log.stat().st_size > LARGE:
            log.unlink()

    def opener(chosen: PairEntry) -> WritingPair:
        return open_entry(
            chosen,
            gpu_layers=given.get("gpu_layers"),
            threads=given.get("threads"),
            cache_type=given.get("cache_type", "f16"),
            same_vocabulary=bool(given.get("same_vocabulary")),
        )

    setup = Setup(entry, given, desk.variants, desk.max_tokens)
    library = Library() if wishes.history else None
    studio = Studio(
        Scribe(lambda: opener(entry), library, force=bool(given.get("force"))), library, setup, own_steering(entry)
    )
    app = Desk(studio, opener, replace(desk, plain=desk.plain or bool(given.get("plain"))))
    draft = log.with_name("draft.txt")
    studio.draft = Draft(draft.read_text(encoding="utf-8", errors="replace") if draft.exists() else "")
    take_any_bytes()
    with private_terminal(log):
        try:
            app.run()
        finally:
            unsent = studio.draft.text if library and studio.draft.text != studio.page.prompt else ""
            studio.close()
            with contextlib.suppress(OSError):  # a full disk: what was written is safe by now
                paths.write_atomically(draft, unsent.encode())
    if app.ended_by:
        end_by(app.ended_by)
    if app.fault:
        raise Problem(f"{app.fault}\nwhat was written is kept; more is in {log}")
    return 0


def checked(desk: preferences.DeskPreferences) -> preferences.DeskPreferences:
    """Raises UsageProblem for a theme or an action that there isn't."""
    for what, given, known in (("theme", [desk.theme], themes_known()), ("action", desk.keys, BY_NAME)):
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
                raise UsageProblem(f"{preferences.file()}: [tui] no {what} is called {name!r}; {hint}")
    return desk
