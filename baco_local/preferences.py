"""What a user has set for good: `config.toml` in the config folder. An option on the command line goes first."""

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from baco_local import paths
from baco_local.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Preferences:
    """threads: CPU threads, or None for one per physical core. history: is what is written kept in the library?"""

    threads: int | None = None
    history: bool = True


def file() -> Path:
    return paths.folder("config") / "config.toml"


def read() -> Preferences:
    """Raises UsageProblem for a file that can't be read, an unknown key or a wrong value."""
    path = file()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Preferences()
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path}: {error}; correct or remove it") from None
    known = [field.name for field in fields(Preferences)]
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise UsageProblem(
                f"{path}: unknown key {key!r}; "
                + (f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}")
            )
    threads = given.get("threads")
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= 512):
        raise UsageProblem(f"{path}: threads is {threads!r}; it takes a whole number from 1 to 512")
    history = given.get("history", True)
    if not isinstance(history, bool):
        raise UsageProblem(f"{path}: history is {history!r}; it takes true or false")
    return Preferences(threads, history)


def store(name: str, value: int) -> Path:
    """Sets one key; everything else in the file stays as it is, comments included. Returns the file."""
    import tomlkit

    read()  # what can't be read is not written over
    path = file()
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    document[name] = value
    try:
        paths.made("config")
        paths.write_atomically(path, tomlkit.dumps(document).encode())
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    return path
