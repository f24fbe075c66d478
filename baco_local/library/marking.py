"""Marks on nodes, edits, and putting things aside: what a writer decides about what was written."""

import sqlite3
import time
from itertools import takewhile

from baco_local.errors import UsageProblem
from baco_local.library import ids
from baco_local.library.nodes import select, subtree
from baco_local.text import clean

LONGEST_TAG = 64


def mark(connection: sqlite3.Connection, pk: int, kind: str, value: str = "") -> None:
    """kind: star, reject, tag or note. Twice the same is once."""
    connection.execute(
        "INSERT OR IGNORE INTO marks (node, kind, value, created) VALUES (?, ?, ?, ?)", [pk, kind, value, time.time()]
    )
    opposite = {"star": "reject", "reject": "star"}.get(kind)
    if opposite:
        unmark(connection, pk, opposite)


def unmark(connection: sqlite3.Connection, pk: int, kind: str, value: str = "") -> bool:
    """False where there was no such mark."""
    done = connection.execute("DELETE FROM marks WHERE node = ? AND kind = ? AND value = ?", [pk, kind, value])
    return done.rowcount > 0


def tag_name(text: str) -> str:
    """Raises UsageProblem for what is no tag."""
    name = clean(text).strip().lstrip("#").casefold()
    if not name or len(name) > LONGEST_TAG or any(char.isspace() or char == "," for char in name):
        raise UsageProblem(f"{text!r} is no tag: a tag is one word of at most {LONGEST_TAG} letters")
    return name


def edited(connection: sqlite3.Connection, pk: int, text: str) -> int:
    """A new child of the node with another text, of which it holds what is not the node's; its pk."""
    [node] = select(connection, "n.pk = ?", [pk])
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(node.text, text, strict=False))
    kept = sum(1 for _ in alike)
    while kept and (node.text[kept - 1 : kept] + text[kept - 1 : kept]).isalnum():
        kept -= 1  # its own part holds whole words, so that they are found
    [session] = connection.execute("SELECT session FROM nodes WHERE pk = ?", [pk]).fetchone()
    [child] = connection.execute(
        "INSERT INTO nodes (id, session, parent, kind, created, text, kept, kept_tokens, stop) "
        "VALUES (?, ?, ?, 'edit', ?, ?, ?, 0, 'edit') RETURNING pk",
        [ids.fresh(connection), session, pk, time.time(), text[kept:], kept],
    ).fetchone()
    return int(child)


def put_aside(connection: sqlite3.Connection, table: str, pk: int, purge: bool) -> int:
    """A node with all below it, or a session; for good with `purge`. Returns how many nodes went."""
    if table == "sessions":
        pks = [found for (found,) in connection.execute("SELECT pk FROM nodes WHERE session = ?", [pk])]
    else:
        pks = subtree(connection, pk)
    if purge:
        # leaves first: a cascade down a long chain is too deep for SQLite
        connection.executemany("DELETE FROM nodes WHERE pk = ?", [(found,) for found in sorted(pks, reverse=True)])
        if table == "sessions":
            connection.execute("DELETE FROM sessions WHERE pk = ?", [pk])
        connection.execute("DELETE FROM sessions WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE session = sessions.pk)")
        connection.execute("DELETE FROM origins WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE origin = origins.pk)")
        connection.execute(
            "INSERT INTO words (words) VALUES ('optimize')"
        )  # else the index keeps the words until it is merged
    elif table == "sessions":
        connection.execute("UPDATE sessions SET deleted = ? WHERE pk = ?", [time.time(), pk])
    else:
        now = time.time()
        stamped = [(now, found) for found in pks]
        connection.executemany("UPDATE nodes SET deleted = ? WHERE pk = ? AND deleted IS NULL", stamped)
    return len(pks)


def forget_words(connection: sqlite3.Connection) -> None:
    """The index keeps the words of what was purged until it is merged. (About half a second with 100,000 ideas.)"""
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def bring_back(connection: sqlite3.Connection, table: str, pk: int) -> int:
    """Undoes `put_aside` where nothing was purged: what went with it, and what is above it. Returns how many nodes came."""
    if table == "sessions":
        connection.execute("UPDATE sessions SET deleted = NULL WHERE pk = ?", [pk])
        [count] = connection.execute(
            "SELECT count(*) FROM nodes WHERE session = ? AND deleted IS NULL", [pk]
        ).fetchone()
        return int(count)
    [stamp] = connection.execute("SELECT deleted FROM nodes WHERE pk = ?", [pk]).fetchone()
    back = 0
    for found in subtree(connection, pk):
        done = connection.execute("UPDATE nodes SET deleted = NULL WHERE pk = ? AND deleted IS ?", [found, stamp])
        back += done.rowcount if stamp is not None else 0
    above: int | None = pk
    while above is not None:
        done = connection.execute("UPDATE nodes SET deleted = NULL WHERE pk = ? AND deleted IS NOT NULL", [above])
        back += done.rowcount
        [above] = connection.execute("SELECT parent FROM nodes WHERE pk = ?", [above]).fetchone()
    connection.execute("UPDATE sessions SET deleted = NULL WHERE pk = (SELECT session FROM nodes WHERE pk = ?)", [pk])
    return back
