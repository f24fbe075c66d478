"""In: takes what `export --format jsonl` gave into the library, after every value was looked at."""

import base64
import json
import math
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from baco_local.errors import UsageProblem
from baco_local.library import ids, traces
from baco_local.library.exchange import COLUMNS, FORMAT, origin_pk
from baco_local.library.marking import tag_name
from baco_local.text import clean

KINDS = ("prompt", "variant", "branch", "edit")
LATEST = 32_000_000_000  # seconds since 1970, in the year 2984: Windows' calendar ends soon after
LONGEST_ID, LARGEST = 40, 1 << 31
Record = dict[str, Any]


def records(lines: Iterable[str], name: str) -> list[tuple[str, Record]]:
    """(where it stands, record) of every line. Raises UsageProblem, with the line's number, for what is none."""
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{name}: line {number}"
            found.append((where, checked(line, where)))
    return found


def checked(line: str, where: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageProblem(f"{where}: is no JSON ({error})") from None
    if not isinstance(record, dict) or record.get("baco-local") != FORMAT:
        raise UsageProblem(f"{where}: was not written by `baco-local export --format jsonl`")
    for key, right in CHECKS.items():
        try:
            fine = key in record and right(record[key])
        except (AttributeError, TypeError, ValueError, OverflowError, RecursionError, UsageProblem):
            fine = False
        if not fine:
            raise UsageProblem(f"{where}: {key} is missing or not what it should be")
    if (record["parent"] is None) != (record["kind"] == "prompt"):
        raise UsageProblem(f"{where}: parent is missing or not what it should be")
    try:
        found: Record = cleaned({key: value for key, value in record.items() if key != "trace"})
    except RecursionError:
        raise UsageProblem(f"{where}: is nested far too deep") from None
    return found | {"trace": trace(record, where)}


def trace(record: Record, where: str) -> bytes | None:
    """Packed, with pieces as they may reach a screen; it must say what the text says."""
    if record["trace"] is None:
        return None
    try:
        tokens = traces.unpacked(
            base64.b64decode(record["trace"], validate=True), 64 + 8 * len(record["text"].encode())
        )
        if "".join(token.piece for token in tokens) != record["text"] or clean(record["text"]) != record["text"]:
            raise ValueError
    except (ValueError, TypeError):
        raise UsageProblem(f"{where}: trace is not what it should be") from None
    return traces.packed(tokens)


def cleaned(value: Any) -> Any:
    """Texts as they may reach a screen, however deep they lie."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, dict):
        return {clean(key): cleaned(one) for key, one in value.items()}
    return value


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.encode() or True)  # (a lone surrogate raises)


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e300
    )


def moment(value: Any) -> bool:
    return number(value) and 0 <= value < LATEST


def name(value: Any) -> bool:
    return isinstance(value, str) and ids.SHORTEST < len(value) <= LONGEST_ID and set(value) <= set(ids.ALPHABET)


def moves(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list)
        and len(one) == 3
        and number(one[0])
        and text(one[1])
        and (one[2] is None or number(one[2]))
        for one in value
    )


def origin(value: Any) -> bool:
    def scalar(one: Any) -> bool:
        return one is None or isinstance(one, bool) or number(one) or text(one)

    options = value.get("options", {})
    lists = ("stop",)
    plain = all(scalar(one) for key, one in options.items() if key not in lists)
    stops = options.get("stop", [])
    return plain and isinstance(stops, list) and all(map(text, stops)) and text(json.dumps(value, ensure_ascii=False))


def marks(value: Any) -> bool:
    rules: dict[str, Callable[[str], bool]] = {
        "star": lambda one: one == "",
        "reject": lambda one: one == "",
        "tag": lambda one: tag_name(one) == one,
        "note": text,
    }
    return all(
        isinstance(many, list) and all(text(one) and rules[kind](one) for one in many) for kind, many in value.items()
    )


def maybe(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or right(value)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "id": name,
    "session": name,
    "parent": maybe(name),
    "kind": lambda value: value in KINDS,
    "created": moment,
    "text": text,
    "kept": whole,
    "kept_tokens": whole,
    "seed": maybe(lambda value: text(value) and value.isdecimal() and len(value) <= 20),
    "threshold": maybe(number),
    "moves": maybe(moves),
    "tokens": maybe(whole),
    "base_tokens": maybe(whole),
    "seconds": maybe(number),
    "stop": maybe(lambda value: text(value) and len(value) <= LONGEST_ID),
    "deleted": maybe(moment),
    "origin": maybe(origin),
    "marks": lambda value: set(value) <= {"star", "reject", "tag", "note"} and marks(value),
    "trace": maybe(text),
}


def take(connection: sqlite3.Connection, found: list[tuple[str, Record]]) -> tuple[int, int]:
    """Puts nodes in: (new ones, ones that were there already, which stay as they are). Another node that happens to have
    the same id is no hindrance. Raises UsageProblem for one whose parent is missing."""
    new = there = 0
    pks: dict[str, int] = {}
    for where, record in found:
        known = connection.execute("SELECT pk, kind, created FROM nodes WHERE id = ?", [record["id"]]).fetchone()
        if known and known[1:] == (record["kind"], record["created"]):
            pks[record["id"]] = known[0]
            there += 1
            continue
        own = ids.fresh(connection) if known else record["id"]
        pks[record["id"]] = pk = insert(connection, record, own, pks, where)
        for kind, values in record["marks"].items():
            for place, value in enumerate(values):
                connection.execute(
                    "INSERT OR IGNORE INTO marks (node, kind, value, created) VALUES (?, ?, ?, ?)",
                    [pk, kind, value, record["created"] + place * 1e-5],  # in their order
                )
        new += 1
    return new, there


def insert(connection: sqlite3.Connection, record: Record, own: str, pks: dict[str, int], where: str) -> int:
    parent = None
    if record["parent"] is not None:
        parent = pks.get(record["parent"])
        if parent is None:
            above = connection.execute("SELECT pk FROM nodes WHERE id = ?", [record["parent"]]).fetchone()
            if not above:
                raise UsageProblem(f"{where}: its parent {record['parent']} comes nowhere before it")
            parent = above[0]
    if parent is not None:
        [session] = connection.execute("SELECT session FROM nodes WHERE pk = ?", [parent]).fetchone()
    else:
        connection.execute(
            "INSERT OR IGNORE INTO sessions (id, created) VALUES (?, ?)", [record["session"], record["created"]]
        )
        [session] = connection.execute("SELECT pk FROM sessions WHERE id = ?", [record["session"]]).fetchone()
    values = {column: record[column] for column in COLUMNS}
    values |= {"id": own, "stop": record["stop"] or "cancelled", "session": session, "parent": parent}
    values["moves"] = json.dumps(record["moves"]) if record["moves"] else None
    values["origin"] = origin_pk(connection, record["origin"]) if record["origin"] is not None else None
    [pk] = connection.execute(
        f"INSERT INTO nodes ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) RETURNING pk",
        list(values.values()),
    ).fetchone()
    if record["trace"]:
        connection.execute("INSERT INTO traces (node, data) VALUES (?, ?)", [pk, record["trace"]])
    return int(pk)
