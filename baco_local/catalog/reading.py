"""Reads models.toml, the shipped one and the user's own, and takes nothing it does not understand."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baco_local import paths
from baco_local.catalog.entries import ModelFile, PairEntry, Source
from baco_local.errors import UsageProblem
from baco_local.text import one_line

PAIR_KEYS: dict[str, type | tuple[type, ...]] = {"title": str, "licence": str, "base": dict, "aligned": dict}
SIDE_KEYS: dict[str, type | tuple[type, ...]] = {"source": (str, list), "file": str, "size": int, "sha256": str}
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE)
KINDS = "file:PATH, hf:OWNER/REPO/FILE@REVISION or pypi:PACKAGE==VERSION#FILE"
WORDS = {str: "a text", int: "a whole number", dict: "a table", (str, list): "a text or a list of texts"}


@dataclass(frozen=True, slots=True)
class Catalog:
    pairs: Mapping[str, PairEntry]

    def pair(self, name: str) -> PairEntry:
        """Raises UsageProblem, naming the nearest one, for a name it doesn't have."""
        if name in self.pairs:
            return self.pairs[name]
        raise UsageProblem(f"no pair is called {name!r}; {nearest(name, self.pairs)}")


def shipped_file() -> Path:
    """models.toml as installed; in a source tree it lies one folder up."""
    package = Path(__file__).parent.parent
    inside = package / "models.toml"
    return inside if inside.exists() else package.parent / "models.toml"


def user_file() -> Path:
    return paths.folder("config") / "models.toml"


def read_catalog() -> Catalog:
    """Shipped pairs overlaid by the user's. Raises UsageProblem naming file, table and key."""
    pairs = read_file(shipped_file())
    if user_file().exists():
        pairs |= read_file(user_file())
    return Catalog(pairs)


def read_file(path: Path) -> dict[str, PairEntry]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError among them
        raise UsageProblem(f"{path}: not valid TOML: {one_line(str(error))}") from None
    check(path, "the file", content, {"pairs": dict}, required=False)
    pairs = {}
    for name, table in content.get("pairs", {}).items():
        where = f"[pairs.{name}]"
        if not NAME.fullmatch(name):
            raise UsageProblem(f"{path}: {where}: a name has letters, digits, dots, dashes and underscores only")
        if not isinstance(table, dict):
            raise UsageProblem(f"{path}: {where}: must be a table")
        check(path, where, table, PAIR_KEYS)
        base, aligned = (read_side(path, f"[pairs.{name}.{side}]", table[side]) for side in ("base", "aligned"))
        pairs[name] = PairEntry(name, one_line(table["title"]), one_line(table["licence"]), base, aligned, path)
    return pairs


def read_side(path: Path, where: str, table: dict[str, Any]) -> ModelFile:
    check(path, where, table, SIDE_KEYS, optional=("file", "size", "sha256"))
    listed = table["source"] if isinstance(table["source"], list) else [table["source"]]
    if not listed or not all(isinstance(item, str) for item in listed):
        raise UsageProblem(f"{path}: {where}: source must be a text or a list of texts")
    sources = tuple(read_source(path, where, item) for item in listed)
    if any(source.kind == "file" for source in sources) and len(sources) > 1:
        raise UsageProblem(f"{path}: {where}: a file: source stands alone")
    sha256 = table.get("sha256", "").lower()
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UsageProblem(f"{path}: {where}: sha256 must be 64 hexadecimal digits")
    if not 1 <= table.get("size", 1) < 1 << 60:
        raise UsageProblem(f"{path}: {where}: size must be the file's bytes")
    file = table.get("file") or Path(sources[0].member or sources[0].place).name
    if Path(file).name != file or file.startswith(".") or "\0" in file:
        raise UsageProblem(f"{path}: {where}: file must be a plain file name, not a path")
    return ModelFile(sources, file, table.get("size"), sha256)


def read_source(path: Path, where: str, text: str) -> Source:
    kind, _, rest = text.partition(":")
    if kind == "file" and rest and "\0" not in rest:
        try:
            return Source("file", str((path.parent / Path(rest).expanduser()).absolute()))
        except RuntimeError as error:
            raise UsageProblem(f"{path}: {where}: source {text!r}: {error}") from None
    if kind == "pypi" and (found := re.fullmatch(r"([A-Za-z0-9][\w.-]*)==([\w.+!-]+)(?:#(\S+))?", rest)):
        return Source("pypi", found[1], found[2], found[3] or "")
    if kind == "hf" and (found := re.fullmatch(r"([\w.-]+/[\w.-]+)/([^@\s]+)(?:@(\S+))?", rest)):
        return Source("hf", found[1], found[3] or "main", found[2])
    raise UsageProblem(f"{path}: {where}: source {text!r} is not of the form {KINDS}")


def check(
    path: Path,
    where: str,
    table: dict[str, Any],
    keys: Mapping[str, type | tuple[type, ...]],
    optional: tuple[str, ...] = (),
    required: bool = True,
) -> None:
    for key, value in table.items():
        if key not in keys:
            raise UsageProblem(f"{path}: {where}: unknown key {key!r}; {nearest(key, keys)}")
        kind = keys[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UsageProblem(f"{path}: {where}: {key} must be {WORDS[kind]}")
    for key in keys:
        if required and key not in table and key not in optional:
            raise UsageProblem(f"{path}: {where}: {key} is missing")


def nearest(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, 1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
