"""What the library holds, as frozen snapshots: nodes and sessions, with everything that is known of them."""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from baco_local.text import one_line

if TYPE_CHECKING:  # reading a history needs no numpy
    from baco_local.collaboration.variant import Token


@dataclass(frozen=True, slots=True)
class Node:
    """A prompt, an idea, or what came of one. text: the whole of it; own: its own segment, which follows the first `kept`
    characters (`kept_tokens` tokens) of its parent's text.

    kind: prompt, variant, branch or edit. origin: what it was made with (pair, files, prompt's settings, steering). moves: [seconds
    since it began, router, threshold] each time they changed. stop: how it ended; None while it is being
    written. notes in the order in which they were made. deleted: put aside with `rm`.
    """

    id: str
    session: str
    parent: str | None
    kind: str
    created: datetime
    text: str
    own: str
    kept: int
    kept_tokens: int
    origin: Mapping[str, Any]
    seed: int | None
    threshold: float | None
    moves: tuple[tuple[float, str, float | None], ...]
    tokens: int | None
    base_share: float | None
    seconds: float | None
    stop: str | None
    starred: bool
    rejected: bool
    tags: tuple[str, ...]
    notes: tuple[str, ...]
    deleted: bool
    pk: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A prompt in the history: how many ideas it has (with those below them), and how many of them are starred."""

    node: Node
    ideas: int
    starred: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A node that was found, and the part of its text where; the words that matched between MARK and UNMARK."""

    node: Node
    excerpt: str


MARK, UNMARK = "\x02", "\x03"  # in excerpts; never part of a text
COLUMNS = (
    "n.pk, n.id, s.id AS session, p.id AS parent_id, n.parent, n.kind, n.created, n.text, n.kept, n.kept_tokens, o.content, "
    "n.seed, n.threshold, n.moves, n.tokens, n.base_tokens, n.seconds, n.stop, n.deleted, s.deleted AS put_aside"
)
CHUNK = 500  # parameters of one statement
FROM = "nodes n JOIN sessions s ON s.pk = n.session LEFT JOIN nodes p ON p.pk = n.parent LEFT JOIN origins o ON o.pk = n.origin"


def select(connection: sqlite3.Connection, where: str, values: Iterable[Any], order: str = "n.pk") -> list[Node]:
    """The nodes for which a condition over n (nodes) and s (sessions) holds."""
    cursor = connection.execute(f"SELECT {COLUMNS} FROM {FROM} WHERE {where} ORDER BY {order}", list(values))
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    marked = marks_of(connection, [row["pk"] for row in rows])
    whole: dict[int, str] = {}
    return [snapshot(connection, row, marked.get(row["pk"], {}), whole) for row in rows]


def marks_of(connection: sqlite3.Connection, pks: list[int]) -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = {}
    for some in chunks(pks):
        holes = ", ".join("?" * len(some))
        query = f"SELECT node, kind, value FROM marks WHERE node IN ({holes}) ORDER BY created, value"
        for node, kind, value in connection.execute(query, some):
            found.setdefault(node, {}).setdefault(kind, []).append(value)
    return found


def chunks(items: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


class WrongValue(Exception):
    """A row says what no row can say."""


@contextlib.contextmanager
def readable(of: object) -> Iterator[None]:
    """Within, whatever a wrong value brings about is a WrongValue."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        OSError,
    ) as error:
        raise WrongValue(f"{one_line(str(of), 40)}: {one_line(str(error), 80)}") from None


def snapshot(
    connection: sqlite3.Connection, row: dict[str, Any], marks: dict[str, list[str]], whole: dict[int, str]
) -> Node:
    with readable(row["id"]):
        return unguarded(connection, row, marks, whole)


def unguarded(
    connection: sqlite3.Connection, row: dict[str, Any], marks: dict[str, list[str]], whole: dict[int, str]
) -> Node:
    if not isinstance(row["text"], str):
        raise TypeError("its text is none")
    tokens = row["tokens"]
    text = text_of(connection, row, whole)
    return Node(
        id=row["id"],
        session=row["session"],
        parent=row["parent_id"],
        kind=row["kind"],
        created=datetime.fromtimestamp(row["created"]),
        text=text,
        own=row["text"],
        kept=row["kept"],
        kept_tokens=row["kept_tokens"],
        origin=origin_of(row["content"]),
        seed=None if row["seed"] is None else int(row["seed"]),
        threshold=row["threshold"],
        moves=tuple((at, router, threshold) for at, router, threshold in json.loads(row["moves"] or "[]")),
        tokens=tokens,
        base_share=None if tokens is None else (row["base_tokens"] or 0) / max(1, tokens),
        seconds=row["seconds"],
        stop=row["stop"],
        starred="star" in marks,
        rejected="reject" in marks,
        tags=tuple(sorted(marks.get("tag", ()))),
        notes=tuple(marks.get("note", ())),
        deleted=row["deleted"] is not None or row["put_aside"] is not None,
        pk=row["pk"],
    )


def origin_of(content: str | None) -> Mapping[str, Any]:
    found = json.loads(content or "{}")
    options = found.get("options", {})
    if not isinstance(options.get("stop", []), list):
        raise ValueError("stop is no list")
    return MappingProxyType(found)


def text_of(connection: sqlite3.Connection, row: Mapping[str, Any], whole: dict[int, str]) -> str:
    """The whole text: what is kept of the parent's, then its own. `whole`: texts that are known already, by pk."""
    if not row["kept"]:
        return str(row["text"])
    chain = [(row["pk"], row["text"], row["kept"])]
    parent = row["parent"]
    seen = {row["pk"]}
    while parent is not None and parent not in whole and chain[-1][2]:
        if parent in seen:
            raise ValueError("comes of itself")
        seen.add(parent)
        text, kept, above = connection.execute("SELECT text, kept, parent FROM nodes WHERE pk = ?", [parent]).fetchone()
        chain.append((parent, text, kept))
        parent = above
    before = whole.get(parent, "") if parent is not None else ""
    for pk, text, kept in reversed(chain):
        before = before[:kept] + text
        whole[pk] = before
    return before


def trace_of(connection: sqlite3.Connection, pk: int) -> "tuple[Token, ...]":
    """Of the whole text; () where none was kept, as for edits, prompts, and what a crash cut off."""
    from baco_local.library import traces

    parts, wanted, at, seen = [], 1 << 62, pk, set[int]()
    while at not in seen:
        seen.add(at)
        found = connection.execute(
            "SELECT data, parent, kept_tokens FROM nodes LEFT JOIN traces ON node = pk WHERE pk = ?", [at]
        ).fetchone()
        if not found or found[0] is None:
            return ()
        data, parent, kept = found
        with readable(pk):
            parts.append((traces.unpacked(data), kept, wanted))
        if not kept or parent is None:
            break
        at, wanted = parent, kept
    whole: tuple[Token, ...] = ()
    for own, kept, wanted in reversed(parts):
        if len(whole) < kept:
            return ()
        whole = (whole + own)[:wanted]
    return whole


def subtree(connection: sqlite3.Connection, pk: int) -> list[int]:
    """A node and all below it."""
    query = (
        "WITH RECURSIVE below (pk) AS (SELECT ? UNION SELECT nodes.pk FROM nodes JOIN below ON nodes.parent = below.pk) "
        "SELECT pk FROM below"
    )
    return [found for (found,) in connection.execute(query, [pk])]
