"""Finding again: the history, newest first, and the words of texts."""

import re
import sqlite3
from datetime import datetime

from baco_local.errors import UsageProblem
from baco_local.library.nodes import MARK, UNMARK, Entry, Hit, Node, chunks, select

WIDTH = 24  # words of an excerpt


def history(
    connection: sqlite3.Connection,
    *,
    limit: int = 20,
    starred: bool = False,
    tag: str | None = None,
    since: datetime | None = None,
) -> list[Entry]:
    """Prompts, newest first. starred, tag: only those of which an idea is marked so. since: begun then or later."""
    conditions = ["n.kind = 'prompt'", "n.deleted IS NULL", "s.deleted IS NULL"]
    values: list[float | str] = []
    if since:
        try:
            values.append(since.timestamp())
        except (OverflowError, ValueError, OSError):
            raise UsageProblem(f"{since}: is outside of what this system's clock knows") from None
        conditions.append("n.created >= ?")
    marked = marked_so(starred, tag)
    if marked:
        condition, given = marked
        conditions.append(
            "n.pk IN (WITH RECURSIVE up (pk, parent) AS "
            f"(SELECT pk, parent FROM nodes WHERE deleted IS NULL AND {condition} UNION "
            "SELECT nodes.pk, nodes.parent FROM nodes JOIN up ON nodes.pk = up.parent) SELECT pk FROM up WHERE parent IS NULL)"
        )
        values += given
    chosen = (
        f"SELECT n.pk FROM nodes n JOIN sessions s ON s.pk = n.session WHERE {' AND '.join(conditions)} "
        "ORDER BY n.pk DESC LIMIT ?"
    )
    nodes = select(connection, f"n.pk IN ({chosen})", [*values, limit], "n.pk DESC")
    return [Entry(node, *counts(connection, node.pk)) for node in nodes]


def marked_so(starred: bool, tag: str | None) -> tuple[str, list[str]] | None:
    """A condition over nodes, and its values."""
    parts, values = [], []
    if starred:
        parts.append("pk IN (SELECT node FROM marks WHERE kind = 'star')")
    if tag is not None:
        parts.append("pk IN (SELECT node FROM marks WHERE kind = 'tag' AND value = ?)")
        values.append(tag)
    return (" AND ".join(parts), values) if parts else None


def counts(connection: sqlite3.Connection, pk: int) -> tuple[int, int]:
    query = (
        "WITH RECURSIVE below (pk) AS (SELECT pk FROM nodes WHERE parent = ? AND deleted IS NULL "
        "UNION ALL SELECT nodes.pk FROM nodes JOIN below ON nodes.parent = below.pk WHERE nodes.deleted IS NULL) "
        "SELECT count(*), count(marks.node) FROM below LEFT JOIN marks ON marks.node = below.pk AND marks.kind = 'star'"
    )
    ideas, starred = connection.execute(query, [pk]).fetchone()
    return ideas, starred


def ideas(connection: sqlite3.Connection, prompt: Node, *, starred: bool = False, tag: str | None = None) -> list[Node]:
    """The ideas of a prompt, and what came of them, in the order in which they were begun."""
    marked = marked_so(starred, tag)
    condition = f"n.pk IN (SELECT pk FROM nodes WHERE {marked[0]})" if marked else "1"
    below = (
        "n.pk IN (WITH RECURSIVE below (pk) AS (SELECT pk FROM nodes WHERE parent = ? UNION ALL "
        "SELECT nodes.pk FROM nodes JOIN below ON nodes.parent = below.pk) SELECT pk FROM below)"
    )
    return select(
        connection, f"{below} AND n.deleted IS NULL AND {condition}", [prompt.pk, *(marked[1] if marked else ())]
    )


def search(connection: sqlite3.Connection, text: str, *, limit: int = 20, starred: bool = False) -> list[Hit]:
    """Nodes whose own text has all the words, or words that begin so; the best first. "In quotes": one behind the other."""
    query = as_query(text)
    condition = "AND nodes.pk IN (SELECT node FROM marks WHERE kind = 'star')" if starred else ""
    found = connection.execute(
        f"SELECT words.rowid, snippet(words, 0, ?, ?, '…', {WIDTH}) FROM words JOIN nodes ON nodes.pk = words.rowid "
        "JOIN sessions ON sessions.pk = nodes.session "
        f"WHERE words MATCH ? AND nodes.deleted IS NULL AND sessions.deleted IS NULL {condition} ORDER BY words.rank LIMIT ?",
        [MARK, UNMARK, query, limit],
    ).fetchall()
    nodes = {
        node.pk: node
        for some in chunks([pk for pk, _ in found])
        for node in select(connection, f"n.pk IN ({', '.join('?' * len(some))})", some)
    }
    return [Hit(nodes[pk], excerpt) for pk, excerpt in found if pk in nodes]


def as_query(text: str) -> str:
    """What FTS5 is asked: its own syntax is never needed, and never trips over what a writer types."""
    parts = re.findall(r'"([^"]*)"|(\S+)', text)
    terms = [f'"{phrase}"' if phrase else f'"{word.replace(chr(34), "")}"*' for phrase, word in parts]
    terms = [term for term in terms if re.search(r"\w", term)]
    if not terms:
        raise UsageProblem("give at least one word to search for")
    return " ".join(terms)
