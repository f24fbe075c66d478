"""Out and in: Markdown for reading, plain text, and JSON lines that hold everything and can be read again."""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from baco_local.errors import UsageProblem
from baco_local.library import ids
from baco_local.library.nodes import Node, marks_of
from baco_local.text import clean

FORMAT = 1
KINDS = ("prompt", "variant", "branch", "edit")
COLUMNS = (
    "id", "kind", "created", "text", "kept", "kept_tokens", "seed", "threshold", "moves", "tokens", "base_tokens",
    "seconds", "stop", "deleted",
)  # fmt: skip
NUMBERS = {"created", "kept", "kept_tokens", "threshold", "tokens", "base_tokens", "seconds", "deleted"}


def rows(connection: sqlite3.Connection, pks: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Everything that is known of nodes, one JSON object each, parents first; with what is above them."""
    wanted = sorted(with_parents(connection, pks))
    for pk in wanted:
        row = connection.execute(
            f"SELECT {', '.join('n.' + column for column in COLUMNS)}, s.id, p.id, content, data FROM nodes n "
            "JOIN sessions s ON s.pk = n.session LEFT JOIN nodes p ON p.pk = n.parent "
            "LEFT JOIN origins ON origins.pk = n.origin LEFT JOIN traces ON node = n.pk WHERE n.pk = ?",
            [pk],
        ).fetchone()
        *values, session, parent, content, data = row
        record = {"baco-local": FORMAT, "session": session, "parent": parent, **dict(zip(COLUMNS, values, strict=True))}
        record["moves"] = json.loads(record["moves"]) if record["moves"] else None
        record["origin"] = json.loads(content) if content else None
        record["marks"] = marks_of(connection, [pk]).get(pk, {})
        record["trace"] = base64.b64encode(data).decode() if data else None
        yield record


def salvaged(connection: sqlite3.Connection) -> Iterator[dict[str, Any] | None]:
    """The same of a damaged library: every node that can still be read, and None for each that can't."""
    [last] = connection.execute("SELECT max(pk) FROM nodes").fetchone()
    given: set[str] = set()
    for pk in range(1, (last or 0) + 1):
        try:
            if connection.execute("SELECT 1 FROM nodes WHERE pk = ?", [pk]).fetchone():
                new = [row for row in rows(connection, [pk]) if row["id"] not in given]
                given.update(row["id"] for row in new)
                yield from new
        except sqlite3.DatabaseError:
            yield None


def with_parents(connection: sqlite3.Connection, pks: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for pk in pks:
        above: int | None = pk
        while above is not None and above not in found:
            found.add(above)
            [above] = connection.execute("SELECT parent FROM nodes WHERE pk = ?", [above]).fetchone()
    return found


def read(connection: sqlite3.Connection, lines: Iterable[tuple[int, str]], name: str) -> tuple[int, int]:
    """Puts nodes in, from numbered lines of `rows`; (new ones, ones that were there already). Raises UsageProblem, with the
    line's number, for what is none; nothing is put in then."""
    new = there = 0
    pks: dict[str, int] = {}
    for number, line in lines:
        if not line.strip():
            continue
        record = checked(line, f"{name}: line {number}")
        known = connection.execute("SELECT pk FROM nodes WHERE id = ?", [record["id"]]).fetchone()
        if known:
            pks[record["id"]] = known[0]
            there += 1
        else:
            pks[record["id"]] = insert(connection, record, pks, f"{name}: line {number}")
            new += 1
        for kind, values in record["marks"].items():
            for value in values:
                connection.execute(
                    "INSERT OR IGNORE INTO marks (node, kind, value, created) VALUES (?, ?, ?, ?)",
                    [pks[record["id"]], kind, clean(value), record["created"]],
                )
    return new, there


def checked(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageProblem(f"{where}: is no JSON ({error})") from None
    if not isinstance(record, dict) or record.get("baco-local") != FORMAT:
        raise UsageProblem(f"{where}: was not written by `baco-local export --format jsonl`")
    wrong = [key for key in (*COLUMNS, "session", "parent", "origin", "marks", "trace") if key not in record]
    texts = ("id", "session", "kind", "text")
    wrong += [key for key in texts if not isinstance(record.get(key), str)]
    wrong += [key for key in NUMBERS if not isinstance(record.get(key), int | float | None) or record.get(key) is True]
    if not wrong and (
        record["kind"] not in KINDS
        or record["created"] is None
        or not all(
            set(record[key]) <= set(ids.ALPHABET) and ids.SHORTEST < len(record[key]) < 40 for key in ("id", "session")
        )
        or (record["parent"] is None) != (record["kind"] == "prompt")
        or not isinstance(record["origin"], dict | None)
        or not isinstance(record["marks"], dict)
        or not set(record["marks"]) <= {"star", "reject", "tag", "note"}
        or not all(
            isinstance(values, list) and all(isinstance(one, str) for one in values)
            for values in record["marks"].values()
        )
        or not (record["kept"] or 0) >= 0
    ):
        wrong.append("kind, id, parent or marks")
    if wrong:
        raise UsageProblem(f"{where}: {wrong[0]} is missing or not what it should be")
    return record


def insert(connection: sqlite3.Connection, record: dict[str, Any], pks: dict[str, int], where: str) -> int:
    parent = None
    if record["parent"] is not None:
        parent = pks.get(record["parent"])
        if parent is None:
            found = connection.execute("SELECT pk FROM nodes WHERE id = ?", [record["parent"]]).fetchone()
            if not found:
                raise UsageProblem(f"{where}: its parent {clean(record['parent'])} comes nowhere before it")
            parent = found[0]
    connection.execute(
        "INSERT OR IGNORE INTO sessions (id, created) VALUES (?, ?)", [record["session"], record["created"]]
    )
    origin = origin_pk(connection, record["origin"]) if record["origin"] is not None else None
    values = {column: record[column] for column in COLUMNS}
    values |= {"text": clean(record["text"]), "moves": json.dumps(record["moves"]) if record["moves"] else None}
    values["stop"] = values["stop"] or "cancelled"
    columns = ", ".join(values)
    [pk] = connection.execute(
        f"INSERT INTO nodes ({columns}, session, parent, origin) VALUES ({', '.join('?' * len(values))}, "
        "(SELECT pk FROM sessions WHERE id = ?), ?, ?) RETURNING pk",
        [*values.values(), record["session"], parent, origin],
    ).fetchone()
    if record["trace"]:
        from baco_local.library import traces

        try:
            data = base64.b64decode(record["trace"], validate=True)
            traces.unpacked(data)
        except (ValueError, TypeError):
            raise UsageProblem(f"{where}: trace is not what it should be") from None
        connection.execute("INSERT INTO traces (node, data) VALUES (?, ?)", [pk, data])
    return int(pk)


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
        parts += [f"  > {note}" for note in idea.notes]
    return "\n".join(parts) + "\n"


def plain(prompt: Node, ideas: Iterable[Node]) -> str:
    return "\n\n".join([prompt.text.strip(), *(idea.text.strip() for idea in ideas)]) + "\n"


def one_line(text: str) -> str:
    return " ".join(text.split())


WRITERS: dict[str, Callable[[Node, Iterable[Node]], str]] = {"md": markdown, "txt": plain}
