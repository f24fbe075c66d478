"""A sweep's file, read: what it was made of, and its ideas."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baco_local.errors import UsageProblem

FORM = 1  # of the file


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep's file, read. ideas: by (prompt's id, method, value), in the file's order; only whole groups."""

    header: Mapping[str, Any]
    ideas: Mapping[tuple[str, str, float], Sequence[Mapping[str, Any]]]

    @property
    def settings(self) -> list[tuple[str, float]]:
        return [(one["method"], one["value"]) for one in self.header["settings"]]

    @property
    def prompts(self) -> dict[str, str]:
        """By id, those that have all their ideas."""
        every = {one["id"]: one["prompt"] for one in self.header["prompts"]}
        return {
            key: text
            for key, text in every.items()
            if all(len(self.ideas.get((key, *setting), ())) == self.header["k"] for setting in self.settings)
        }


def read(path: Path) -> Sweep:
    """Raises UsageProblem for a file that is none, or of another form."""
    try:
        # by newlines alone: a model also writes the other characters that end a line
        lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror}); a sweep is made by: baco-local sweep") from None
    try:
        header = json.loads(lines[0])
        if header["sweep"] != FORM:
            raise UsageProblem(f"{path}: a sweep of form {header['sweep']!r}, and this version reads {FORM}")
        names = ("k", "settings", "prompts", "pair", "files", "options")
        if any(name not in header for name in names) or not whole(header):
            raise ValueError
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise UsageProblem(f"{path}: is no sweep; make one with: baco-local sweep -o {path.name}") from None
    ideas: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for number, text in enumerate(lines[1:-1], 2):  # what stands behind the last one is an interruption's
        record = idea_of(text)
        if record is None:
            raise UsageProblem(f"{path}, line {number}: is no idea of a sweep")
        ideas.setdefault((record["prompt"], record["method"], record["value"]), []).append(record)
    return Sweep(header, ideas)


def whole(header: Mapping[str, Any]) -> bool:
    """Is it all there, and of the kinds that it has to be?"""
    kinds = {"k": int, "pair": str, "files": dict, "options": dict, "settings": list, "prompts": list}
    json.dumps([header["pair"], header["prompts"], header["settings"]], ensure_ascii=False).encode()
    return (
        all(isinstance(header[name], kind) for name, kind in kinds.items())
        and bool(header["settings"])
        and header["k"] > 0
        and all(isinstance(facts, dict) for facts in header["files"].values())
        and all(
            isinstance(one["method"], str) and isinstance(one["value"], (int, float)) and abs(one["value"]) < 1e9
            for one in header["settings"]
        )
        and all(isinstance(one[name], str) for one in header["prompts"] for name in ("id", "prompt"))
        and all(
            isinstance(header["options"][name], kind)
            for name, kind in {"max_tokens": int, "system": str, "mode": str}.items()
        )
    )


def idea_of(text: str | bytes) -> dict[str, Any] | None:
    """What a line says of an idea; None where it is none."""
    try:
        record = json.loads(text)
        texts, numbers = ("prompt", "method", "text"), ("tokens", "base_tokens")
        if not all(isinstance(record[name], str) for name in texts) or not all(
            isinstance(record[name], int) for name in numbers
        ):
            return None
        record["text"].encode()
        hash(record["value"])
        return record if 0 <= record["base_tokens"] <= record["tokens"] < 1 << 40 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
