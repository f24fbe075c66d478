"""Finding again: the history, newest first, and the words of texts."""

import functools
import re
import sqlite3
import unicodedata
from datetime import datetime

from baco_local.errors import UsageProblem
from baco_local.library.nodes import MARK, UNMARK, Entry, Hit, Node, chunks, select

WIDTH = 24  # words of an excerpt
WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")  # as the index takes them


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
        "UNION SELECT nodes.pk FROM nodes JOIN below ON nodes.parent = below.pk WHERE nodes.deleted IS NULL) "
        "SELECT count(*), count(marks.node) FROM below LEFT JOIN marks ON marks.node = below.pk AND marks.kind = 'star'"
    )
    ideas, starred = connection.execute(query, [pk]).fetchone()
    return ideas, starred


def ideas(connection: sqlite3.Connection, prompt: Node, *, starred: bool = False, tag: str | None = None) -> list[Node]:
    """The ideas of a prompt, and what came of them, in the order in which they were begun."""
    marked = marked_so(starred, tag)
    condition = f"n.pk IN (SELECT pk FROM nodes WHERE {marked[0]})" if marked else "1"
    below = (
        "n.pk IN (WITH RECURSIVE below (pk) AS (SELECT pk FROM nodes WHERE parent = ? UNION "
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
        "SELECT words.rowid FROM words JOIN nodes ON nodes.pk = words.rowid "
        "JOIN sessions ON sessions.pk = nodes.session "
        f"WHERE words MATCH ? AND nodes.deleted IS NULL AND sessions.deleted IS NULL {condition} ORDER BY words.rank LIMIT ?",
        [query, limit],
    ).fetchall()
    nodes = {
        node.pk: node
        for some in chunks([pk for (pk,) in found])
        for node in select(connection, f"n.pk IN ({', '.join('?' * len(some))})", some)
    }
    terms = terms_of(text)
    return [Hit(nodes[pk], excerpt(nodes[pk].own, terms)) for (pk,) in found if pk in nodes]


def as_query(text: str) -> str:
    """What FTS5 is asked: its own syntax is never needed, and never trips over what a writer types."""
    return " ".join(f'"{phrase}"' + "*" * begins for phrase, begins in terms_of(text))


def terms_of(text: str) -> list[tuple[str, bool]]:
    """Phrases to be found, and whether the last word of each may go on. Raises UsageProblem where there is none."""
    parts = re.findall(r'"([^"]*)"|(\S+)', text)
    terms = [(phrase, False) if phrase else (word.replace('"', ""), True) for phrase, word in parts]
    terms = [(phrase, begins) for phrase, begins in terms if WORD.search(phrase)]
    if not terms:
        raise UsageProblem("give at least one word to search for")
    return terms


def excerpt(text: str, terms: list[tuple[str, bool]]) -> str:
    """WIDTH words of a text about the first that matched, those that matched between MARK and UNMARK. (FTS5's own `snippet`
    takes minutes for a long text of one word, and can't be interrupted.)"""
    words = list(WORD.finditer(text))
    folded = [fold(word[0]) for word in words]
    matched: set[int] = set()
    for phrase, begins in terms:
        wanted = [fold(word) for word in WORD.findall(phrase)]
        for at in range(len(words) - len(wanted) + 1):
            if folded[at : at + len(wanted) - 1] == wanted[:-1] and (
                folded[at + len(wanted) - 1].startswith(wanted[-1])
                if begins
                else folded[at + len(wanted) - 1] == wanted[-1]
            ):
                matched.update(range(at, at + len(wanted)))
    first = max(0, min(matched, default=0) - WIDTH // 4)
    last = min(len(words), first + WIDTH)
    first = max(0, last - WIDTH)
    start = words[first].start() if first else 0
    end = words[last - 1].end() if last < len(words) else len(text)
    found, at = "…" if start else "", start
    for index in range(first, last):
        if index in matched:
            found += text[at : words[index].start()] + MARK + words[index][0] + UNMARK
            at = words[index].end()
    return found + text[at:end] + ("…" if end < len(text) else "")


@functools.lru_cache(1 << 15)
def fold(word: str) -> str:
    """As the index does: without case and diacritics."""
    bare = "".join(char for char in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", bare)
