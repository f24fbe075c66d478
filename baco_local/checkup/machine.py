"""The machine: processor, memory, disk, terminal, folders."""

import os
import platform
import shlex
import shutil
import sys
from pathlib import Path

from baco_local import paths
from baco_local.checkup.line import MISSING, SLOW, Line
from baco_local.errors import Problem
from baco_local.runtime import machine
from baco_local.text import gigabytes

LITTLE_MEMORY = 1 << 30  # bytes that are free: the starter pair wants 0.7 GB
LITTLE_DISK = 1 << 30
SMALLEST = (60, 20)  # columns and rows that the terminal app is made for


def lines() -> list[Line]:
    return [
        Line("system", platform.platform()),
        Line("cpu", machine.cpu_name()),
        Line("threads in use", str(machine.cores())),
        memory(),
        disk(),
    ]


def memory() -> Line:
    found = machine.memory()
    if not found:
        return Line("memory", "this system does not say")
    total, free = found
    little = free < LITTLE_MEMORY
    return Line(
        "memory",
        f"{gigabytes(total)}, {gigabytes(free)} available",
        SLOW if little else "ok",
        "close other programs, or choose a small pair: baco-local models" if little else "",
    )


def disk() -> Line:
    folder = paths.folder("data")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Line("disk", f"{folder}: {error.strerror}", MISSING, "set BACO_LOCAL_HOME to a folder on another disk")
    little = free < LITTLE_DISK
    mend = "make room, or set BACO_LOCAL_HOME to a folder on a larger disk" if little else ""
    return Line("disk", f"{gigabytes(free)} free for models", MISSING if little else "ok", mend)


def folders() -> list[Line]:
    found = []
    for kind in ("config", "data", "cache", "state"):
        try:
            folder = paths.folder(kind)
        except Problem as problem:
            found.append(Line(kind, str(problem), MISSING, "correct BACO_LOCAL_HOME"))
            continue
        above = folder
        while not above.exists() and above != above.parent:
            above = above.parent
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            found.append(Line(kind, str(folder)))
        elif not above.is_dir():
            found.append(
                Line(kind, f"{folder} can't be made: {above} is no folder", MISSING, "set BACO_LOCAL_HOME to a folder")
            )
        else:
            yours = f"chown -R $USER {shlex.quote(str(folder))}" if above == folder else "make it"
            mend = f"{yours}, or set BACO_LOCAL_HOME to another folder"
            found.append(Line(kind, f"{folder} can't be written", MISSING, mend))
    return found


def terminal() -> list[Line]:
    if not sys.stdout.isatty():
        return [Line("stdout", "no terminal")]
    columns, rows = shutil.get_terminal_size()
    small = columns < SMALLEST[0] or rows < SMALLEST[1]
    depth = os.environ.get("COLORTERM", "")
    kind = os.environ.get("TERM", "unknown")
    colours = "16 million" if depth in ("truecolor", "24bit") else "256" if "256" in kind else "16"
    if os.environ.get("NO_COLOR"):
        colours = "none (NO_COLOR is set); base's words are underlined at the desk, and not marked by `ideas`"
    plain = kind in ("dumb", "unknown")
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return [
        Line(
            "size",
            f"{columns} x {rows}",
            SLOW if small else "ok",
            f"make the window larger: {SMALLEST[0]} x {SMALLEST[1]} at least" if small else "",
        ),
        Line(
            "colours",
            f"{colours}, TERM={kind}",
            SLOW if plain else "ok",
            "set TERM to your terminal's name" if plain else "",
        ),
        Line(
            "encoding",
            sys.stdout.encoding or "unknown",
            "ok" if encoding == "utf8" else MISSING,
            "" if encoding == "utf8" else "set LANG to a UTF-8 locale, or PYTHONUTF8=1",
        ),
    ]


def cpu_flags() -> set[str]:
    """As Linux names them; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in text.splitlines() if line.startswith("flags")), set())
