"""Short names for sessions and nodes: seven letters and digits that are easy to type and hard to confuse."""

import secrets
import sqlite3

from baco_local.errors import UsageProblem

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
LENGTH = 7  # two of a hundred thousand are alike once in four libraries; then another one is drawn
SHORTEST = 2  # of a prefix


def new() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def fresh(connection: sqlite3.Connection) -> str:
    """One that neither a session nor a node has."""
    while True:
        name = new()
        if not connection.execute(
            "SELECT 1 FROM nodes WHERE id = :id UNION ALL SELECT 1 FROM sessions WHERE id = :id", {"id": name}
        ).fetchone():
            return name


def resolve(
    connection: sqlite3.Connection, prefix: str, tables: tuple[str, ...] = ("nodes", "sessions")
) -> tuple[str, int]:
    """(table, pk) of the one thing whose id begins so. Raises UsageProblem for none, several, or no id."""
    wanted = prefix.strip().lower()
    if len(wanted) < SHORTEST or not set(wanted) <= set(ALPHABET):
        raise UsageProblem(
            f"{prefix!r} is no id; `baco-local history` shows those of prompts, `baco-local show` those of ideas"
        )
    after = wanted[:-1] + chr(ord(wanted[-1]) + 1)
    found = [
        (table, pk, name)
        for table in tables
        for pk, name in connection.execute(
            f"SELECT pk, id FROM {table} WHERE id >= ? AND id < ? LIMIT 4", [wanted, after]
        )
    ]
    exact = [one for one in found if one[2] == wanted]
    if len(exact) == 1:
        return exact[0][0], exact[0][1]
    if not found:
        raise UsageProblem(f"nothing in the library has the id {prefix}; `baco-local history` shows them")
    if len(found) > 1:
        raise UsageProblem(
            f"several have an id that begins with {prefix}: {', '.join(name for _, _, name in found[:4])}"
        )
    return found[0][0], found[0][1]
