"""The library of ideas: where it is, how much is in it, and whether its file is whole."""

import sqlite3

from baco_local import preferences
from baco_local.checkup.line import MISSING, Line
from baco_local.errors import LibraryProblem
from baco_local.library import store
from baco_local.text import gigabytes

LARGE = 500 << 20  # bytes above which the whole file is not read for a doctor


def lines() -> list[Line]:
    path = store.default_path()
    kept = [] if preferences.read().history else [Line("history", "is off (config.toml): nothing new is kept")]
    if not path.exists():
        return [*kept, Line("library", f"none yet; `baco-local ideas` begins {path}")]
    try:
        connection = store.connect_to_read(path)
        try:
            with store.explained(path):
                return [*kept, health(connection, path.stat().st_size, str(path))]
        finally:
            connection.close()
    except LibraryProblem as problem:
        said, *after = str(problem).split("\n")
        return [*kept, Line("library", said, MISSING, after[0] if after else "see the message")]


def health(connection: sqlite3.Connection, size: int, path: str) -> Line:
    [ideas] = connection.execute("SELECT count(*) FROM nodes WHERE kind != 'prompt'").fetchone()
    said = f"{path}, {ideas:,} ideas, {gigabytes(size)}"
    if size > LARGE:
        return Line("library", f"{said}; too large to be read through here")
    [state] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        mend = (
            "baco-local export --format jsonl -o FILE saves what is readable; then: baco-local backup --restore BACKUP"
        )
        return Line("library", f"{said}; damaged: {state}", MISSING, mend)
    return Line("library", f"{said}, whole")
