"""Starts and stops everything many times: python tests/cycles.py [CYCLES] [INTERRUPTS]

The desk, opened, written at and quit in one process, over a scripted pair: does anything stay behind? Then every command, on a tiny
real pair, interrupted by Ctrl-C at a random moment of its life: does each end at once, with its own exit code and no traceback?
"""

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "tui"))

from desks import ScriptedPair
from kills import pair as tiny_pair

from baco_local.catalog.given import given_entry
from baco_local.collaboration.settings import Steering
from baco_local.library import Library
from baco_local.preferences import DeskPreferences
from baco_local.tui.app import Desk
from baco_local.tui.desk import Setup
from baco_local.tui.scribe import Scribe
from baco_local.tui.studio import Studio

LATE = 10.0  # seconds after which an interrupted command should long be over


async def desk(folder: Path) -> None:
    """One evening in short: a prompt, its ideas, a star, and home."""
    pair, library = ScriptedPair(), Library(folder / "library.db")
    entry = given_entry(folder / "base.gguf", folder / "aligned.gguf", None, None)
    assert entry
    studio = Studio(Scribe(lambda: pair, library), library, Setup(entry, n=4, max_tokens=12), Steering("p", 0.35))
    app = Desk(studio, lambda entry: pair, DeskPreferences(variants=4, max_tokens=12))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*"sea", "ctrl+g")
        while studio.scribe.writing:
            await pilot.pause(0.02)
        await pilot.press("1", "s", "ctrl+q")
    studio.close()


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def cycles(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BACO_LOCAL_HOME"] = str(folder / "home")
        for side in ("base", "aligned"):
            (folder / f"{side}.gguf").touch()
        seen = []
        for number in range(count):
            asyncio.run(desk(folder))
            if number % 10 == 9:
                gc.collect()
                seen.append((number + 1, resident(), len(os.listdir("/proc/self/fd")), threading.active_count()))
    settled = [one for one in seen if one[0] > count // 5]
    slope = np.polyfit([one[0] / 100 for one in settled], [one[1] for one in settled], 1)[0]
    print(
        f"the desk, {count} times: resident memory {settled[0][1]:.1f} to {seen[-1][1]:.1f} MB, slope {slope:+.2f} MB in a hundred;"
    )
    print(f"  descriptors {seen[0][2]} to {seen[-1][2]}, threads {seen[0][3]} to {seen[-1][3]}", flush=True)


def commands(folder: Path, files: list[str], idea: str) -> dict[str, list[str]]:
    few = ["-n", "2", "--max-tokens", "200", *files]
    small = ["--limit", "2", "-k", "2", "--max-tokens", "8", "--methods", "p,rand"]
    return {
        "ideas": ["x", "-n", "4", "--max-tokens", "400", "--jsonl", *files],
        "more": [idea, "-n", "2", "--max-tokens", "200"],
        "branch": [idea, "-n", "2", "--max-tokens", "200"],
        **{name: [idea] for name in ("show", "star", "unstar")},
        "history": [],
        "search": ["sea"],
        "tag": [idea, "sea"],
        "note": [idea, "a note"],
        "export": ["--format", "jsonl"],
        "models": [],
        "doctor": [],
        "manual": [],
        "score": [str(folder / "texts")],
        "sweep": ["-o", str(folder / "sweep.jsonl"), *small, *files],
        "report": [str(folder / "whole.jsonl"), "--judge", "none"],
        "calibrate": [str(folder / "whole.jsonl"), "--no-store"],
        "rate": [str(folder / "whole.jsonl"), "p", "rand", "--results"],
        "bench": ["--variants", "1", "--rounds", "1", *few[4:]],
    }


def interrupts(count: int, seed: int = 0) -> None:
    dice, codes = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = tiny_pair(folder)
        environment = os.environ | {"BACO_LOCAL_HOME": str(folder / "home")}
        program = [sys.executable, "-P", "-m", "baco_local"]

        def run(*arguments: str) -> bytes:
            return subprocess.run([*program, *arguments], env=environment, capture_output=True, check=True).stdout

        (folder / "texts").write_text("the sea\nthe tide\n" * 200)
        run(
            "sweep",
            "-o",
            str(folder / "whole.jsonl"),
            "--limit",
            "2",
            "-k",
            "2",
            "--max-tokens",
            "8",
            "--methods",
            "p,rand",
            *files,
        )
        run("ideas", "x", "-n", "2", "--max-tokens", "8", *files)
        with Library(folder / "home" / "data" / "library.db") as library:
            idea = library.ideas(library.history()[0].node.id)[0].id
        every = commands(folder, files, idea)
        lasts = {}
        for one, arguments in every.items():
            began = time.monotonic()
            subprocess.run([*program, one, *arguments], env=environment, capture_output=True, timeout=120)
            lasts[one] = time.monotonic() - began
        slowest = 0.0
        for number in range(count):
            one = list(every)[number % len(every)]
            after = dice.uniform(0.05, max(0.1, lasts[one]))
            child = subprocess.Popen(
                [*program, one, *every[one]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            try:
                child.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGINT)
            began = time.monotonic()
            said = child.communicate(timeout=60)[1] if child.poll() is None else b""
            slowest = max(slowest, time.monotonic() - began)
            codes[str(child.returncode)] += 1
            early = child.returncode in (-signal.SIGINT, 1) and after < 0.15  # Python's own beginning
            if child.returncode not in (0, 130) and not early:
                print(f"{one} after {after:.2f} s: exit code {child.returncode}, {said.decode()[-300:]!r}", flush=True)
            if b"Traceback" in said and not early:
                print(f"{one} after {after:.2f} s: {said.decode()[-600:]}", flush=True)
    print(
        f"Ctrl-C at {count} moments of {len(every)} commands: exit codes {dict(codes)}, the slowest end {slowest:.2f} s (at most {LATE:.0f})"
    )


if __name__ == "__main__":
    cycles(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
    interrupts(int(sys.argv[2]) if len(sys.argv) > 2 else 200)
