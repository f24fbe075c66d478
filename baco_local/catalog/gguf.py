"""Reads the header of a GGUF file in plain Python: what a model is, without loading it.

llama.cpp ends the process on some damaged files, so a header is never shown to it before it was
read here, where every length is checked against the file. (Format: ggml's docs/gguf.md.)
"""

import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from baco_local.catalog.quantisation import TYPES
from baco_local.catalog.raw import cut_short, damaged, opened, part_of
from baco_local.errors import ModelProblem
from baco_local.text import one_line

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MOST_KEYS, MOST_TENSORS, MOST_DIMENSIONS = 1 << 16, 1 << 20, 4
LONGEST_KEY = 1 << 16  # bytes
BEGINNING, LONGEST_HEADER = 1 << 20, 1 << 30  # bytes that are read of a file at first, and at most
KEPT = 1 << 12  # numbers of an array that is read at once
SPLIT = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")

Value = int | float | bool | str | tuple[int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """shape as ggml writes it, the innermost first; size in bytes, None for a type not known here."""

    name: str
    shape: tuple[int, ...]
    type: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Array:
    """Where an array lies: offset of its first item and behind its last, how many, and their kind."""

    offset: int
    end: int
    count: int
    kind: int


@dataclass(frozen=True, slots=True)
class Header:
    """values by key, with arrays of up to KEPT numbers; all arrays are read when they are asked for.

    size: bytes of the file, or of all files of a split one.
    """

    path: Path
    values: dict[str, Value]
    arrays: dict[str, Array]
    tensors: tuple[Tensor, ...]
    size: int

    def text(self, key: str) -> str:
        """A string, cleaned and on one line; "" where there is none."""
        found = self.values.get(key)
        return one_line(found) if isinstance(found, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        found = self.values.get(key)
        return found if isinstance(found, int) and found >= 0 else default

    def strings(self, key: str) -> list[bytes]:
        """An array of strings; [] where there is none."""
        array = self.arrays.get(key)
        if not array or array.kind != STRING:
            return []
        data = part_of(self.path, array.offset, array.end)
        Reader(self.path, data, len(data)).skip_strings(array.count)  # the file may have changed meanwhile
        found, at, length = [], 0, struct.Struct("<Q").unpack_from
        for _ in range(array.count):
            size = length(data, at)[0]
            at += 8 + size
            found.append(data[at - size : at])
        return found

    def numbers(self, key: str) -> tuple[int | float | bool, ...]:
        """An array of numbers; () where there is none."""
        array = self.arrays.get(key)
        if not array or array.kind == STRING:
            return ()
        data = part_of(self.path, array.offset, array.end)
        return Reader(self.path, data, len(data)).take(SCALARS[array.kind], array.count)


class More(Exception):
    """The header goes on behind what was read of the file."""


class Reader:
    """Takes one value after the other, and never one that the file is too short for.

    data: the beginning of the file; size: bytes of the whole. Raises More where the beginning is too short.
    """

    def __init__(self, path: Path, data: bytes, size: int) -> None:
        self.path, self.data, self.size, self.at = path, data, size, 0

    def take(self, form: str, count: int = 1) -> tuple[int | float | bool, ...]:
        size = struct.calcsize(f"<{form}")
        self.room(count * size)
        found = struct.unpack_from(f"<{count}{form}", self.data, self.at)
        self.at += count * size
        return found

    def whole(self, form: str = "Q") -> int:
        return int(self.take(form)[0])

    def string(self, limit: int) -> bytes:
        size = self.whole()
        if size > limit:
            raise damaged(self.path, "a string in it is too long")
        self.room(size)
        self.at += size
        return self.data[self.at - size : self.at]

    def skip_strings(self, count: int) -> None:
        self.room(8 * count)
        data, at, end, length = self.data, self.at, len(self.data), struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at + 8 > end:
                break
            at += 8 + length(data, at)[0]
        self.at = at
        self.room(0 if at <= end else 1)

    def room(self, size: int) -> None:
        if self.at + size > self.size:
            raise cut_short(self.path)
        if self.at + size > len(self.data):
            raise More


def read_header(path: Path) -> Header:
    """Raises ModelProblem for a file that is missing, no GGUF, damaged, cut short, or a part of a split one
    that isn't the first or lacks another."""
    header = parsed(path, parse)
    parts = header.number("split.count", 1)
    return header if parts <= 1 else whole_split(header, parts)


def parse(reader: Reader) -> Header:
    path = reader.path
    reader.room(4)
    if reader.data[:4] != b"GGUF":
        raise ModelProblem(f"{path}: is not a GGUF file; download it again, or give another file")
    reader.at = 4
    version, count, keys = reader.whole("I"), reader.whole(), reader.whole()
    if version not in (2, 3):
        raise damaged(path, f"its format version is {version}, which llama.cpp does not read")
    if keys > MOST_KEYS or count > MOST_TENSORS:
        raise damaged(path, f"it claims to hold {count} tensors and {keys} values")
    values, arrays = read_values(reader, keys)
    tensors, end = read_tensors(reader, count)
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 16:
        raise damaged(path, "its alignment is not a number that makes sense")
    start = -(-reader.at // alignment) * alignment
    if tensors and start + end > reader.size:
        raise cut_short(path, start + end)
    return Header(path, values, arrays, tensors, reader.size)


def parsed(path: Path, parse: Callable[[Reader], Header]) -> Header:
    """Reads as much of the file's beginning as `parse` needs."""
    with opened(path) as file:
        size, head = os.fstat(file.fileno()).st_size, BEGINNING
        while True:
            file.seek(0)
            data = file.read(head)
            try:
                return parse(Reader(path, data, size))
            except More:
                if len(data) < head or head > LONGEST_HEADER:  # the file shrinks under our hands, or claims too much
                    raise cut_short(path) from None
                head *= 4


def read_values(reader: Reader, keys: int) -> tuple[dict[str, Value], dict[str, Array]]:
    values: dict[str, Value] = {}
    arrays: dict[str, Array] = {}
    for _ in range(keys):
        key = reader.string(LONGEST_KEY).decode("utf-8", "replace")
        kind = reader.whole("I")
        if kind == STRING:
            values[key] = reader.string(reader.size).decode("utf-8", "replace")
        elif kind == ARRAY:
            kind, count = reader.whole("I"), reader.whole()
            start = reader.at
            if kind == STRING:
                reader.skip_strings(count)
            elif kind in SCALARS:
                size = struct.calcsize(f"<{SCALARS[kind]}")
                reader.room(count * size)
                if count <= KEPT:
                    values[key] = reader.take(SCALARS[kind], count)
                reader.at = start + count * size
            else:
                raise damaged(reader.path, f"the value {one_line(key, 60)!r} has an unknown kind")
            arrays[key] = Array(start, reader.at, count, kind)
        elif kind in SCALARS:
            values[key] = reader.take(SCALARS[kind])[0]
        else:
            raise damaged(reader.path, f"the value {one_line(key, 60)!r} has an unknown kind")
    return values, arrays


def read_tensors(reader: Reader, count: int) -> tuple[tuple[Tensor, ...], int]:
    """The tensors, and where the last one ends behind the start of the data."""
    tensors, end = [], 0
    for _ in range(count):
        name = one_line(reader.string(LONGEST_KEY).decode("utf-8", "replace"))
        dimensions = reader.whole("I")
        if dimensions > MOST_DIMENSIONS:
            raise damaged(reader.path, f"the tensor {name!r} has {dimensions} dimensions")
        shape = tuple(int(extent) for extent in reader.take("Q", dimensions))
        kind, offset = reader.whole("I"), reader.whole()
        if any(not 0 < extent < 1 << 40 for extent in shape):
            raise damaged(reader.path, f"the tensor {name!r} has no size that makes sense")
        label, block, width = TYPES.get(kind, (f"type {kind}", 0, 0))
        size = None
        if block:
            size = width * shape[0] // block if shape else width
            for extent in shape[1:]:
                size *= extent
        tensors.append(Tensor(name, shape, label, size))
        end = max(end, offset + (size or 0))
    return tuple(tensors), end


def whole_split(first: Header, parts: int) -> Header:
    """A model in several files, of which llama.cpp is given the first: all tensors, and the size of all."""
    name = SPLIT.fullmatch(first.path.name)
    if not name or int(name[3]) != parts or parts > 10_000:
        raise ModelProblem(
            f"{first.path}: is one of {parts} parts, and must be called …-00001-of-{parts:05}.gguf with the others beside it"
        )
    paths = [first.path.with_name(f"{name[1]}-{part:05}-of-{parts:05}.gguf") for part in range(1, parts + 1)]
    if int(name[2]) != 1:
        raise ModelProblem(f"{first.path}: is part {int(name[2])} of {parts}; give the first one, {paths[0].name}")
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise ModelProblem(
            f"{first.path}: {len(missing)} of its {parts} parts {'is' if len(missing) == 1 else 'are'} missing: {missing[0]}\n"
            "download all parts into one folder"
        )
    tensors, size = list(first.tensors), first.size
    for number, path in enumerate(paths[1:], 2):
        found = parsed(path, parse)
        if (found.number("split.no"), found.number("split.count")) != (number - 1, parts):
            raise ModelProblem(f"{path}: is not part {number} of {parts}; download it again")
        tensors += found.tensors
        size += found.size
    return Header(first.path, first.values, first.arrays, tuple(tensors), size)
