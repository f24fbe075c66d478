"""Whether a model file is still the one that the catalogue means, without reading gigabytes at every start.

The sha256 is remembered by path, size and modification time.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from baco_local import paths

CHUNK = 1 << 20


def checksum(path: Path, at: Callable[[int], None] = lambda done: None) -> str:
    """sha256 in hexadecimal. `at` gets the bytes read so far, where the file has to be read."""
    return remembered().get(key_of(path)) or remember(path, read_checksum(path, at))


def known(path: Path) -> str:
    """The same, if it was read since the file last changed; else ""."""
    try:
        return remembered().get(key_of(path), "")
    except OSError:
        return ""


def read_checksum(path: Path, at: Callable[[int], None] = lambda done: None) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            found.update(block)
            at(file.tell())
    return found.hexdigest()


def remember(path: Path, sha256: str) -> str:
    content = {**remembered(), key_of(path): sha256}
    with contextlib.suppress(OSError):
        paths.write_atomically(paths.made("cache") / "checksums.json", json.dumps(content, indent=1).encode())
    return sha256


def remembered() -> dict[str, str]:
    try:
        content = json.loads(paths.read_cache("checksums.json"))
        return {key: value for key, value in content.items() if isinstance(value, str)}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def key_of(path: Path) -> str:
    facts = path.stat()
    told = f"|{facts.st_size}|{facts.st_mtime_ns}".encode()
    return hashlib.sha256(os.fsencode(path.resolve()) + told).hexdigest()[:24]
