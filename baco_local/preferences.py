"""What a user has set for good: `config.toml` in the config folder. An option on the command line goes first."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from baco_local import paths
from baco_local.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class DeskPreferences:
    """The table `[tui]`. pair: of the catalogue; variants: how many ideas at a time; max_tokens: the longest one; theme: its
    colours; plain: no borders and nothing that moves, for screen readers; keys: for actions by name, with commas between."""

    pair: str = "starter"
    variants: int = 16
    max_tokens: int = 96
    theme: str = "baco-dark"
    plain: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preferences:
    """threads: CPU threads, or None for one per physical core. history: is what is written kept in the library?"""

    threads: int | None = None
    history: bool = True
    desk: DeskPreferences = DeskPreferences()


def file() -> Path:
    return paths.folder("config") / "config.toml"


def read() -> Preferences:
    """Raises UsageProblem for a file that can't be read, an unknown key or a wrong value."""
    path = file()
    if path.exists() and not path.is_file():
        raise UsageProblem(f"{path}: is no file; remove it")
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Preferences()
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path}: {error}; correct or remove it") from None
    only_known(path, given, [*(field.name for field in fields(Preferences) if field.name != "desk"), "tui"])
    threads = given.get("threads")
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= 512):
        raise UsageProblem(f"{path}: threads is {threads!r}; it takes a whole number from 1 to 512")
    history = given.get("history", True)
    if not isinstance(history, bool):
        raise UsageProblem(f"{path}: history is {history!r}; it takes true or false")
    return Preferences(threads, history, desk(path, given.get("tui", {})))


def desk(path: Path, given: Any) -> DeskPreferences:
    if not isinstance(given, dict):
        raise UsageProblem(f"{path}: tui is a table: [tui]")
    known = {field.name: getattr(DeskPreferences(), field.name) for field in fields(DeskPreferences)}
    only_known(path, given, list(known), "[tui] ")
    for key, value in given.items():
        kind = dict if key == "keys" else type(known[key])
        if type(value) is not kind:
            wanted = {str: "text in quotes", int: "a whole number", bool: "true or false", dict: "a table"}[kind]
            raise UsageProblem(f"{path}: [tui] {key} is {value!r}; it takes {wanted}")
    for key, low, high in (("variants", 1, 500), ("max_tokens", 1, 100_000)):
        if not low <= given.get(key, low) <= high:
            raise UsageProblem(f"{path}: [tui] {key} is {given[key]}; it takes {low} to {high}")
    for name, keys in given.get("keys", {}).items():
        if not isinstance(keys, str) or not keys.strip():
            raise UsageProblem(f'{path}: [tui.keys] {name} is {keys!r}; it takes keys in quotes, as "s,ctrl+s"')
    return DeskPreferences(**given)


def only_known(path: Path, given: Mapping[str, Any], known: list[str], where: str = "") -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise UsageProblem(
                f"{path}: {where}unknown key {key!r}; "
                + (f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}")
            )


def store(name: str, value: int) -> Path:
    """Sets one key; everything else in the file stays as it is, comments included. Returns the file."""
    import tomlkit

    read()  # what can't be read is not written over
    path = file()
    document = tomlkit.parse(path.read_text(encoding="utf-8-sig")) if path.exists() else tomlkit.document()
    document[name] = value
    try:
        paths.made("config")
        paths.write_atomically(path, tomlkit.dumps(document).encode())
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    return path
