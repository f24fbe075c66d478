"""Out: Markdown for reading, plain text, and JSON lines that hold everything and can be taken in again (taking.py)."""

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baco_local.library.nodes import Node, WrongValue, marks_of, readable
from baco_local.text import to_json

if TYPE_CHECKING:
    from baco_local.library.book import Library

FORMAT = 1
COLUMNS = (
    "id", "kind", "created", "text", "kept", "kept_tokens", "seed", "threshold", "moves", "tokens", "base_tokens",
    "seconds", "stop", "deleted",
)  # fmt: skip


def row(connection: sqlite3.Connection, pk: int) -> dict[str, Any]:
    """Everything that is known of a node, as a JSON object. (Left joins: what a salvage meets may lack its session.)"""
    found = connection.execute(
        f"SELECT {', '.join('n.' + column for column in COLUMNS)}, s.id, p.id, content, data FROM nodes n "
        "LEFT JOIN sessions s ON s.pk = n.session LEFT JOIN nodes p ON p.pk = n.parent "
        "LEFT JOIN origins ON origins.pk = n.origin LEFT JOIN traces ON node = n.pk WHERE n.pk = ?",
        [pk],
    ).fetchone()
    with readable(pk):
        return record_of(connection, pk, *found)


def record_of(connection: sqlite3.Connection, pk: int, *found: Any) -> dict[str, Any]:
    *values, session, parent, content, data = found
    record = {"baco-local": FORMAT, "session": session, "parent": parent, **dict(zip(COLUMNS, values, strict=True))}
    record["moves"] = json.loads(record["moves"]) if record["moves"] else None
    record["origin"] = json.loads(content) if content else None
    record["marks"] = marks_of(connection, [pk]).get(pk, {})
    record["trace"] = base64.b64encode(data).decode() if data else None
    to_json(record)  # raises for what JSON does not know
    return record


def salvaged(connection: sqlite3.Connection) -> Iterator[dict[str, Any] | None]:
    """The same of a damaged library: every node that can still be read, and None for each that can't. One whose parent
    can't be read becomes a prompt of its own."""
    [last] = connection.execute("SELECT max(pk) FROM nodes").fetchone()
    given: set[str] = set()
    for pk in range(1, (last or 0) + 1):
        try:
            if not connection.execute("SELECT 1 FROM nodes WHERE pk = ?", [pk]).fetchone():
                continue
            found = row(connection, pk)
        except (sqlite3.DatabaseError, WrongValue):
            yield None
            continue
        if found["parent"] is not None and found["parent"] not in given:
            found |= {"parent": None, "kind": "prompt", "kept": 0, "kept_tokens": 0, "trace": None}
        elif found["parent"] is None and found["kind"] != "prompt":
            found |= {"kind": "prompt", "kept": 0, "kept_tokens": 0, "trace": None}
        given.add(found["id"])
        yield found


def with_parents(connection: sqlite3.Connection, pks: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for pk in pks:
        above: int | None = pk
        while above is not None and above not in found:
            found.add(above)
            parent = connection.execute("SELECT parent FROM nodes WHERE pk = ?", [above]).fetchone()
            above = parent[0] if parent else None
    return found


def origin_pk(connection: sqlite3.Connection, origin: Mapping[str, Any]) -> int:
    """Of the one row that holds it."""
    content = json.dumps(dict(origin), sort_keys=True, ensure_ascii=False)
    connection.execute("INSERT OR IGNORE INTO origins (content) VALUES (?)", [content])
    [pk] = connection.execute("SELECT pk FROM origins WHERE content = ?", [content]).fetchone()
    return int(pk)


def markdown(prompt: Node, ideas: Iterable[Node]) -> str:
    """A prompt as a heading, its ideas as a list, for reading."""
    parts = [f"## {one_line(prompt.text)}\n"]
    when = f"{prompt.created:%Y-%m-%d %H:%M}"
    options = prompt.origin.get("options", {})
    facts = [when, prompt.origin.get("pair"), options.get("router"), options.get("threshold")]
    parts.append(f"*{', '.join(str(fact) for fact in facts if fact is not None)}*\n")
    for idea in ideas:
        star = "\u2605 " if idea.starred else ""
        tags = "".join(f" #{tag}" for tag in idea.tags)
        body = idea.text.strip().replace("\n", "\n  ") or "(nothing written)"
        parts.append(f"- {star}{body} `{idea.id}`{tags}")
        parts += ["  > " + note.replace("\n", "\n  > ") for note in idea.notes]
    return "\n".join(parts) + "\n"


def plain(prompt: Node, ideas: Iterable[Node]) -> str:
    return "\n\n".join([prompt.text.strip(), *(idea.text.strip() for idea in ideas)]) + "\n"


def one_line(text: str) -> str:
    return " ".join(text.split())


FORMATS = ("md", "txt", "jsonl")


def written(library: "Library", prompt: Node, ideas: Sequence[Node], form: str) -> str:
    """A prompt with these of its ideas in one of FORMATS; jsonl has also what `import` needs of what is above them."""
    if form == "jsonl":
        return "".join(to_json(row) + "\n" for row in library.export([prompt, *ideas]))
    return markdown(prompt, ideas) if form == "md" else plain(prompt, ideas)
