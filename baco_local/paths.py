"""Where things live. `BACO_LOCAL_HOME` moves all of it under one folder."""

import contextlib
import os
import threading
import time
from pathlib import Path

from baco_local.errors import UsageProblem


def folder(kind: str) -> Path:
    """kind: `config`, `data`, `cache` or `state`. The folder may not exist yet."""
    home = os.environ.get("BACO_LOCAL_HOME")
    if home:
        try:
            return Path(home).expanduser().absolute() / kind
        except RuntimeError as error:
            raise UsageProblem(f"BACO_LOCAL_HOME={home}: {error}") from None
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_path")("baco-local", appauthor=False))


def made(kind: str, *parts: str) -> Path:
    """The same folder (or one inside it), created, readable by its owner only."""
    return private_folder(folder(kind).joinpath(*parts))


def read_cache(name: str) -> bytes:
    """Raises OSError; also for a pipe or a device, which would be waited for."""
    path = folder("cache") / name
    if not path.is_file():
        raise FileNotFoundError(path)
    return path.read_bytes()


def private_folder(path: Path) -> Path:
    """The folder, created with those above it where they are missing, readable by its owner only."""
    for one in [*reversed(path.parents), path]:
        if not one.exists():  # each of them: `parents=True` would make the upper ones readable by all
            one.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)  # says what is wrong where a file is in the way
    return path


def private(path: str, flags: int) -> int:
    """An `opener` for open(): a file that is made is readable by its owner only."""
    return os.open(path, flags | os.O_CREAT if flags & (os.O_WRONLY | os.O_RDWR) else flags, 0o600)


def demand_not_ours(path: Path) -> None:
    """Raises UsageProblem where writing to `path` would destroy a model, or what is in the program's own folders."""
    path = path.resolve()
    config, data, cache = (folder(kind).resolve() for kind in ("config", "data", "cache"))
    within = any(path.is_relative_to(one) for one in (data / "models", data / "staging", cache))
    if (
        within
        or (path.parent == data and path.name.startswith("library.db"))
        or (path.parent == config and path.suffix == ".toml")
    ):
        raise UsageProblem(f"{path}: is the program's own file; give a place of your own")
    with contextlib.suppress(OSError):
        if path.is_file() and path.open("rb").read(4) == b"GGUF":
            raise UsageProblem(f"{path}: is a model file; give another name")


def part_of(path: Path) -> Path:
    """Beside `path`, under a name of this thread's own: what will take its place when it is whole."""
    name = path.name.encode("utf-8", "replace")[:200].decode("utf-8", "ignore")  # a file name has at most 255 bytes
    return path.with_name(f".{name}.{os.getpid()}-{threading.get_ident()}.part")


def mode_of(path: Path) -> int:
    """The permissions of the file that will be replaced, or of one that is made anew."""
    writable = 0o200 if os.name == "nt" else 0  # Windows neither replaces nor removes a file that may not be written
    return path.stat().st_mode & 0o777 | writable if path.exists() else 0o600


def replace(part: Path, path: Path) -> None:
    """os.replace; on Windows again for a second, while another program (a virus scanner, a reader) has either open."""
    for _ in range(10 if os.name == "nt" else 0):
        try:
            os.replace(part, path)
            return
        except PermissionError:
            time.sleep(0.1)
    os.replace(part, path)


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path` in one step: a reader or a crash sees the old content or the new, never a part."""
    part, mode = part_of(path), mode_of(path)
    try:
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(part, path)
    finally:
        part.unlink(missing_ok=True)
