"""Refuses what a table of models.toml may not hold, in a line that names file, table and key."""

import datetime
import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from baco_local.errors import UsageProblem

Kind = type | tuple[type, ...]
WORDS: dict[Kind, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    datetime.date: "a date",
    (int, float): "a number",
    (int, float, str): "a number or a text",
    (str, list): "a text or a list of texts",
    (dict, list): "a table or a list of two",
}


def check(
    path: Path,
    where: str,
    table: Mapping[str, Any],
    keys: Mapping[str, Kind],
    required: Collection[str] = (),
) -> None:
    """Raises UsageProblem for an unknown key, a value of another kind, or a missing key."""
    for key, value in table.items():
        if key not in keys:
            raise UsageProblem(f"{path}: {where}: unknown key {key!r}; {nearest(key, keys)}")
        kind = keys[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageProblem(f"{path}: {where}: {key} must be {WORDS[kind]}")
    for key in required:
        if key not in table:
            raise UsageProblem(f"{path}: {where}: {key} is missing")


def nearest(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, 3, cutoff=0.5)
    if not close:
        return f"there are: {', '.join(known)}"
    return "did you mean " + " or ".join(repr(name) for name in close) + "?"
