"""Opens the library's file: one SQLite database, safe for several processes, brought up to this version."""

import contextlib
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from baco_local import paths
from baco_local.errors import DamagedLibrary, LibraryProblem
from baco_local.library.nodes import WrongValue
from baco_local.library.schema import STEPS, VERSION, statements, strange
from baco_local.text import one_line

PATIENCE = 20.0  # seconds that one process waits for another one's write
NAME = "library.db"


def default_path() -> Path:
    return paths.folder("data") / NAME


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the library at `path`, which is made if it isn't there. May be used by any one thread at a time.

    Raises LibraryProblem for a file that is no library, damaged, of a newer version, or can't be written.
    """
    with explained(path):
        if not path.exists():
            paths.private_folder(path.parent)
            os.close(paths.private(str(path), os.O_RDWR))
        connection = opened(path)
        try:
            prepare(connection, path)
            bury(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """The same, also where the folder can't be written to."""
    if not path.exists():
        raise LibraryProblem(f"{path}: there is no library yet; `baco-local ideas` begins one")
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return connect(path)
    with explained(path):
        # No other process can write it either, as far as can be told: so it needs no lock files beside it. But then a
        # write-ahead log that a crash left is not read: with one, a copy of both is.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            with tempfile.TemporaryDirectory() as folder:
                for one in (path, log):
                    shutil.copyfile(one, Path(folder) / one.name)
                connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                copy = sqlite3.connect(Path(folder) / path.name)
                copy.backup(connection)
                copy.close()
        else:
            connection = opened(path, "?immutable=1")
        check_version(connection, path)
        return connection


def opened(path: Path, options: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        path.absolute().as_uri() + options, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is removed for good is written over
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    if check_version(connection, path) < VERSION:
        migrate(connection, path)
    # With a write-ahead log readers and one writer don't wait for each other, and a killed process loses nothing that it
    # had committed; a power cut may lose the last seconds, and leaves a whole database.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise LibraryProblem(
            f"{path}: was written by a newer version of baco-local (format {version}; this one knows {VERSION})\n"
            "update baco-local, or point BACO_LOCAL_HOME to another folder; nothing was touched"
        )
    if version < 0 or (version and (wrong := strange(connection, version))):
        raise DamagedLibrary(
            f"{path}: is no library as baco-local makes it ({one_line(wrong) if version > 0 else 'no version'})\n"
            "move it away, or: baco-local backup --restore BACKUP"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Step by step to this version, in one transaction, with a copy of the old file beside it; one process at a time."""
    with locked(path, "migration"):
        version = check_version(connection, path)
        if version == VERSION:  # another process has done it meanwhile
            return
        if version:
            backup(connection, aside(path, f"format-{version}"))
        with transaction(connection):
            upgrade(connection, version)


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    for step in STEPS[version:]:
        for statement in statements(step):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """What only one process may do at a time."""
    paths.private_folder(folder_of_locks(path))
    try:
        with FileLock(folder_of_locks(path) / f"{what}.lock", timeout=PATIENCE, mode=0o600):
            yield
    except Timeout:
        raise LibraryProblem(f"{path}: another program is at it ({what}); try again") from None


def aside(path: Path, why: str) -> Path:
    """A name beside it that nothing has."""
    stem = f"{path.stem}-{why}-{time.strftime('%Y%m%d-%H%M%S')}"
    number, found = 1, path.with_name(f"{stem}{path.suffix}")
    while found.exists():
        number += 1
        found = path.with_name(f"{stem}-{number}{path.suffix}")
    return found


def backup(connection: sqlite3.Connection, path: Path) -> None:
    """A whole copy, compact, while others may write. Raises LibraryProblem where the file is there already."""
    if path.exists():
        raise LibraryProblem(f"{path}: is there already; give another name, so that no older backup is lost")
    part = paths.part_of(path)
    with explained(path):
        part.unlink(missing_ok=True)
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection.execute("VACUUM INTO ?", [str(part)])
            paths.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def restore(path: Path, copy: Path) -> Path | None:
    """Puts a copy of `copy` in the library's place; returns where the old one is now, with its write-ahead log, without
    which it would not be whole. Raises LibraryProblem for a copy that is no whole library, and while others write."""
    if not copy.is_file():
        raise LibraryProblem(f"{copy}: {'is no file' if copy.exists() else 'no such file'}; give a backup")
    with explained(copy):
        connection = opened(copy, "?mode=ro")
        try:
            version = check_version(connection, copy)
            [state] = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if state != "ok" or not version:
                raise DamagedLibrary(f"{copy}: is no whole library ({state}); give another backup")
        finally:
            connection.close()
    tokens = [lock.name for lock in folder_of_locks(path).glob("*") if not lock.name.endswith(".lock")]
    if any(lives(path, token) for token in tokens):
        raise LibraryProblem(f"{path}: is being written to; end the other program first")
    with explained(path), locked(path, "migration"):
        paths.private_folder(path.parent)
        part = paths.part_of(path)
        try:
            with open(part, "wb", opener=paths.private) as file:
                file.write(copy.read_bytes())
                file.flush()
                os.fsync(file.fileno())
            old = aside(path, "before-restore") if path.exists() else None
            for suffix in ("", "-wal", "-shm"):
                beside = path.with_name(path.name + suffix)
                if old and beside.exists():
                    paths.replace(beside, old.with_name(old.name + suffix))
            paths.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return old


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Takes the write lock at once, so that it never fails half way for want of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


SALVAGE = "save what is readable (baco-local export --format jsonl -o FILE), then: baco-local backup --restore BACKUP"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's complaints, in words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise complaint(path, error) from None
    except (WrongValue, UnicodeDecodeError) as error:
        raise DamagedLibrary(f"{path}: holds what no library holds ({one_line(str(error), 120)})\n{SALVAGE}") from None
    except OSError as error:
        raise LibraryProblem(f"{error.filename or path}: {error.strerror or error}") from None


def complaint(path: Path, error: sqlite3.Error) -> LibraryProblem:
    said = one_line(str(error), 120)
    if any(word in said for word in ("malformed", "corrupt", "decode")):
        return DamagedLibrary(f"{path}: is damaged ({said})\n" + SALVAGE)
    if "not a database" in said:
        return LibraryProblem(f"{path}: is not a library; move it away, or: baco-local backup --restore BACKUP")
    if "full" in said or "I/O" in said:
        return LibraryProblem(f"{path}: can't be written: the disk is full, or fails ({said})")
    if "readonly" in said or "unable to open" in said:
        return LibraryProblem(
            f"{path}: can't be written ({said}); make it yours, or set BACO_LOCAL_HOME to another folder"
        )
    if "locked" in said or "busy" in said:
        return LibraryProblem(f"{path}: another program kept it locked for {PATIENCE:.0f} seconds; try again")
    return LibraryProblem(f"{path}: {said}")


class Alive:
    """This process as a writer: a lock file that the system lets go of when the process ends, however it ends."""

    def __init__(self, path: Path, token: str) -> None:
        self.token = token
        self.path = folder_of_locks(path) / token
        with explained(path):
            paths.private_folder(self.path.parent)
            self.lock = FileLock(self.path, timeout=0, mode=0o600)
            self.lock.acquire()

    def close(self) -> None:
        self.lock.release()
        self.path.unlink(missing_ok=True)


def folder_of_locks(path: Path) -> Path:
    path = path.resolve()  # however it is reached
    return path.with_name(f"{path.name}-writers")


def lives(path: Path, token: str) -> bool:
    """Is the writer's process still there? (The token becomes a file's name: one that we did not make is nobody's.)"""
    if not re.fullmatch("[0-9a-f]{16}", str(token)):
        return False
    lock = folder_of_locks(path) / token
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0, mode=0o600):
            pass
    except Timeout:
        return True
    lock.unlink(missing_ok=True)
    return False


def bury(connection: sqlite3.Connection, path: Path) -> None:
    """Marks as `cancelled` what processes that are gone have left unfinished."""
    unfinished = connection.execute(
        "SELECT DISTINCT writers.pk, token FROM nodes JOIN writers ON writers.pk = nodes.writer WHERE stop IS NULL"
    ).fetchall()
    dead = [pk for pk, token in unfinished if not lives(path, token)]
    if dead:
        with transaction(connection):
            for pk in dead:
                connection.execute("UPDATE nodes SET stop = 'cancelled' WHERE writer = ? AND stop IS NULL", [pk])
