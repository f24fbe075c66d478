"""Bytes of a model file, or one line that says why there are none."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from baco_local.errors import ModelProblem


def part_of(path: Path, start: int, end: int) -> bytes:
    with opened(path) as file:
        file.seek(start)
        data = file.read(end - start)
    if len(data) < end - start:
        raise cut_short(path)
    return data


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Not mapped into memory: a file that shrinks meanwhile would end the process."""
    try:
        if path.is_dir():
            raise ModelProblem(f"{path}: is a folder; give the GGUF file inside it")
        if path.exists() and not path.is_file():
            raise ModelProblem(f"{path}: is no file but a device or a pipe; give a GGUF file")
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ModelProblem(f"{path}: is empty; download it again, or give another file")
            yield file
    except FileNotFoundError:
        raise ModelProblem(f"{path}: no such file") from None
    except OSError as error:
        raise ModelProblem(f"{path}: can't be read ({error.strerror})") from None


def damaged(path: Path, why: str) -> ModelProblem:
    return ModelProblem(f"{path}: is damaged: {why}; download it again")


def cut_short(path: Path, wanted: int = 0) -> ModelProblem:
    """wanted: bytes that it should have, where the header could be read to its end."""
    here = path.stat().st_size / 1e6
    if not wanted:
        return ModelProblem(f"{path}: is cut short or damaged ({here:,.1f} MB are here); download it again")
    return ModelProblem(f"{path}: is cut short: {here:,.1f} of {wanted / 1e6:,.1f} MB are here; download it to the end")
