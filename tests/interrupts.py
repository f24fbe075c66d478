"""Interrupts every command by Ctrl-C at random moments of its life: python tests/interrupts.py [TIMES] [COMMAND …]

Over a tiny real pair, the desk in a pseudo-terminal, `pull` from a hub on the loopback. Does each end at once, with its own exit
code, in one line without a traceback? The first hundredths of a second belong to Python itself, which then ends as it always does.
"""

import contextlib
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hub import NAME, REPO, serving
from kills import pair as tiny_pair

from baco_local.library import Library

PROGRAM = [sys.executable, "-P", "-m", "baco_local"]
EARLY = 0.15  # seconds in which Python itself may still be starting
DESK = {0, 130, -signal.SIGINT}  # the desk ends as by the signal once the screen is as it was
AT_ONCE = 2


@dataclass
class Told:
    """Of one command: how often it ended with which code, the slowest end in seconds, and what was wrong."""

    codes: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


def commands(folder: Path, files: list[str], ideas: list[str]) -> dict[str, list[str]]:
    one, other = ideas
    small = ["--limit", "2", "-k", "2", "--max-tokens", "8", "--methods", "p,rand"]
    return {
        "backup": [str(folder / "copy.db")],
        "bench": ["--variants", "1", "--rounds", "1", *files],
        "branch": [one, "-n", "2", "--max-tokens", "200"],
        "calibrate": [str(folder / "whole.jsonl"), "--no-store"],
        "doctor": [],
        "export": ["--format", "jsonl"],
        "history": [],
        "ideas": ["x", "-n", "4", "--max-tokens", "400", "--jsonl", *files],
        "import": [str(folder / "written.jsonl")],
        "manual": [],
        "models": [],
        "more": [one, "-n", "2", "--max-tokens", "200"],
        "note": [one, "a note"],
        "pull": ["toy"],
        "rate": [str(folder / "whole.jsonl"), "p", "rand", "--results"],
        "report": [str(folder / "whole.jsonl"), "--judge", "none", "-o", str(folder / "report.html")],
        "rm": [other],
        "score": [str(folder / "texts")],
        "search": ["sea"],
        "show": [one],
        "star": [one],
        "sweep": ["-o", str(folder / "sweep.jsonl"), *small, *files],
        "tag": [one, "sea"],
        "tui": [],
        "unstar": [one],
    }


def prepared(folder: Path) -> dict[str, list[str]]:
    """A home with a sweep, two ideas and what they exported, in `folder`; the command lines for it."""
    files = tiny_pair(folder)
    environment = os.environ | {"BACO_LOCAL_HOME": str(folder / "home")}

    def run(*arguments: str) -> bytes:
        return subprocess.run([*PROGRAM, *arguments], env=environment, capture_output=True, check=True).stdout

    (folder / "texts").write_text("the sea\nthe tide\n" * 200)
    small = ["--limit", "2", "-k", "2", "--max-tokens", "8", "--methods", "p,rand"]
    run("sweep", "-o", str(folder / "whole.jsonl"), *small, *files)
    run("ideas", "x", "-n", "2", "--max-tokens", "8", *files)
    (folder / "written.jsonl").write_bytes(run("export", "--format", "jsonl"))
    with Library(folder / "home" / "data" / "library.db") as library:
        ideas = [idea.id for idea in library.ideas(library.history()[0].node.id)]
    (folder / "home" / "config").mkdir(exist_ok=True)
    (folder / "home" / "config" / "models.toml").write_text(
        f"[pairs.toy]\ntitle = 'A toy'\nlicence = 'MIT'\n[pairs.toy.base]\nsource = 'hf:{REPO}/{NAME}'\n[pairs.toy.aligned]\nsame = true\n"
    )
    return commands(folder, files, ideas)


class Running:
    """The command and what it says on stderr; the desk gets a terminal of its own and says it there."""

    def __init__(self, one: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.ends, self.said = [], b""
        if one == "tui":
            ours, theirs = self.ends = pty.openpty()
            ways = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
            environment = environment | {"TERM": "xterm-256color"}
            threading.Thread(target=self.listen, args=(ours,), daemon=True).start()
        else:
            ways = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.child = subprocess.Popen([*PROGRAM, one, *arguments], env=environment, **ways)

    def listen(self, ours: int) -> None:
        with contextlib.suppress(OSError):
            while heard := os.read(ours, 1 << 16):
                self.said += heard

    def wait(self, timeout: float) -> None:
        _, said = self.child.communicate(timeout=timeout)
        self.said += said or b""
        for end in self.ends:
            os.close(end)


def interrupted(one: str, arguments: list[str], home: Path, times: int, url: str) -> Told:
    told, dice = Told(), random.Random(one)
    environment = os.environ | {"BACO_LOCAL_HOME": str(home), "HF_ENDPOINT": url}
    lasts = 3.0
    for number in range(times + 1):  # the first is not interrupted: it shows how long the command lasts
        for path in (home / "data" / "models", home / "data" / "staging") if one == "pull" else ():
            shutil.rmtree(path, ignore_errors=True)
        for path in home.parent.glob({"backup": "copy.db*", "sweep": "sweep.jsonl*"}.get(one, "nothing")):
            path.unlink()
        after = 4.0 if number == 0 else dice.uniform(0.02, max(0.3, lasts))
        running = Running(one, arguments, environment)
        began = time.monotonic()
        try:
            running.wait(after)
            lasts = time.monotonic() - began if number == 0 else lasts
        except subprocess.TimeoutExpired:
            running.child.send_signal(signal.SIGINT)
            asked = time.monotonic()
            try:
                running.wait(60)
            except subprocess.TimeoutExpired:
                running.child.kill()
                running.wait(60)
            told.slowest = max(told.slowest, time.monotonic() - asked)
        code, said = running.child.returncode, running.said
        if number == 0:
            continue
        told.codes[code] += 1
        early = after < EARLY and code in (-signal.SIGINT, 1)
        fine = code in (DESK if one == "tui" else (0, 130))
        if not early and (not fine or b"Traceback" in said):
            told.wrong.append(f"after {after:.2f} s: exit code {code}, {said.decode(errors='replace')[-400:]!r}")
    return told


def interrupts(times: int, only: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name, serving() as hub, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(name)
        hub.put(os.urandom(1 << 20))
        hub.pause = 0.005
        every = {one: line for one, line in prepared(folder).items() if not only or one in only}
        found = {}
        for one, arguments in every.items():
            home = folder / f"home-{one}"
            shutil.copytree(folder / "home", home)
            found[one] = pool.submit(interrupted, one, arguments, home, times, hub.url)
        codes, slowest = Counter[int](), 0.0
        for one, future in found.items():
            told = future.result()
            codes, slowest = codes + told.codes, max(slowest, told.slowest)
            print(f"{one:<10} {dict(sorted(told.codes.items()))}, the slowest end {told.slowest:.2f} s", flush=True)
            for line in told.wrong:
                print(f"  {line}", flush=True)
        print(
            f"Ctrl-C {times} times in each of {len(every)} commands: {dict(sorted(codes.items()))}, the slowest {slowest:.2f} s"
        )


if __name__ == "__main__":
    interrupts(int(sys.argv[1]) if len(sys.argv) > 1 else 200, sys.argv[2:])
