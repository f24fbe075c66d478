"""Changes the user's models.toml and leaves everything else in it as it is, comments included.

A comment between two tables belongs to the one that follows, whatever is done to the one before. So tables are
appended and cut out as lines of text; tomlkit changes what is inside one.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from filelock import FileLock, Timeout

from baco_local import paths
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.catalog.reading import parsed, user_file
from baco_local.errors import UsageProblem
from baco_local.text import one_line

PATIENCE = 10.0  # seconds that one process waits for another one's change
OWNED = {
    "title",
    "for",
    "licence",
    "shared_vocabulary",
    "base",
    "aligned",
    "source",
    "lora",
    "same",
    "size",
    "sha256",
    "about",
    "file",
}


def add(pair: PairEntry, replace: bool) -> None:
    """Puts the pair into the user's catalogue. replace: in place of one of that name, of which settings and whatever else
    `add` does not write stay. Raises UsageProblem where there is one, or where the file can't be read or written."""
    table: dict[str, Any] = {"title": pair.title, "for": pair.whom, "licence": pair.licence}
    if not pair.whom:
        del table["for"]
    if pair.shared is not None:
        table["shared_vocabulary"] = pair.shared
    table["base"] = side(pair.base)
    if pair.aligned:
        table["aligned"] = side(pair.aligned)
    else:
        table["aligned"] = side(pair.lora, "lora") if pair.lora else {"same": True}
    put("pairs", pair.name, table, replace)


def taken(name: str) -> UsageProblem:
    return UsageProblem(f"there is a pair called {name} already; take another name, or --replace it")


def side(file: ModelFile, key: str = "source") -> dict[str, Any]:
    sources = [str(source) for source in file.sources]
    given = {key: sources if len(sources) > 1 else sources[0], "size": file.size, "sha256": file.sha256}
    return {name: value for name, value in given.items() if value}


def put(section: str, key: str, value: dict[str, Any], replace: bool = True) -> None:
    """Adds [section.key], or changes it. Raises UsageProblem as `add` does."""

    def change(before: str, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        import tomlkit

        there = content.get(section, {}).get(key)
        if there is None:
            content.setdefault(section, {})[key] = value
            written = tomlkit.dumps({section: {key: value}})
            gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
            return before + gap + written, content
        if not replace:
            raise taken(key)
        document: Any = tomlkit.parse(before)
        update(document[section][key], value)
        update(there, value)
        return tomlkit.dumps(document), content

    edit(change, f"add [{section}.{key}] by hand")


def update(table: Any, value: dict[str, Any]) -> None:
    """Makes a table say `value`, without what else `add` could have written; the rest stays."""
    for key in [key for key in table if key in OWNED and key not in value]:
        del table[key]
    for key, new in value.items():
        if isinstance(new, dict) and key in table:
            update(table[key], new)
        else:
            table[key] = new


def remove(section: str, key: str) -> None:
    """Takes [section.key] out. Raises UsageProblem as `add` does."""

    def change(before: str, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        del content[section][key]
        if not content[section]:
            del content[section]
        kept = "".join(line for line, path in owned_lines(before) if path[:2] != (section, key))
        after = tomllib.loads(kept)
        if not after.get(section, True):
            del after[section]  # an empty [section] may stay
            return kept, {**content, section: {}} if section in tomllib.loads(kept) else content
        return kept, content

    edit(change, f"remove [{section}.{key}] by hand")


def owned_lines(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each line with the table that it belongs to: blank lines to that of the next line, comments to none."""
    path: tuple[str, ...] = ()
    blank: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("#"):
            yield from ((one, ()) for one in blank)
            yield line, ()  # it stays whatever becomes of the tables around it
            blank = []
        elif not line.strip():
            blank.append(line)
        else:
            path = header(line) or path
            yield from ((one, path) for one in blank)
            yield line, path
            blank = []
    yield from ((one, ()) for one in blank)


def header(line: str) -> tuple[str, ...] | None:
    """The path of a line that begins a table."""
    if not re.match(r"\s*\[[^\[]", line):
        return None
    try:
        table: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path = []
    while isinstance(table, dict) and table:
        [name] = table
        path.append(name)
        table = table[name]
    return tuple(path)


def edit(change: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]], otherwise: str) -> None:
    """`change` gets the text and its content, and gives both as they should be; one process at a time."""
    from tomlkit.exceptions import TOMLKitError

    try:
        path = user_file().resolve()  # the file itself, where a link leads to it
    except (OSError, RuntimeError) as error:
        raise UsageProblem(f"{user_file()}: can't be written ({error})") from None
    try:
        with FileLock(paths.made("config") / ".models.toml.lock", timeout=PATIENCE, mode=0o600):
            whole = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
            before = whole.replace("\r\n", "\n")
            parsed(path, before)
            after, wanted = change(before, tomllib.loads(before))
            if tomllib.loads(after) != wanted or comments(before) - comments(after):
                raise UsageProblem(f"{path}: its tables are in a form that can't be changed safely; {otherwise}")
            parsed(path, after)
            paths.write_atomically(path, (after.replace("\n", "\r\n") if before != whole else after).encode())
    except Timeout:
        raise UsageProblem(f"{path}: another program is changing it; try again") from None
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    except (TOMLKitError, ValueError) as error:
        raise UsageProblem(f"{path}: can't be changed ({one_line(str(error))}); {otherwise}") from None


def comments(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.lstrip().startswith("#")}
