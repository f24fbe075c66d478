"""What the desk costs: `python tests/desk_speed.py [rounds]`, with the starter pair and nothing else running.

In turn, on a terminal of 160 by 48: the same sixteen ideas by `ideas` and by the desk. Of the desk: the processor time of
its main thread, which draws, from the prompt to the last word; how long a typed letter takes to the screen while ideas
are written; how long a session of 1,000 ideas takes to open.
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent / "tui"), str(Path(__file__).parent)]

from ptys import ESCAPES, Terminal  # noqa: E402

PROMPT = "A story about a lighthouse keeper who counts the ships that do not come"
N, TOKENS = 16, 160
CTRL_G, CTRL_Q, F2 = "\x07", "\x11", "\x1bOQ"
FIXED = "import secrets; secrets.randbits = lambda _: {seed}; import sys; from baco_local.__main__ import run; sys.exit(run())"
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "config").mkdir()
        (home / "config" / "config.toml").write_text(f"[tui]\nvariants = {N}\nmax_tokens = {TOKENS}\n")
        files = starter()
        alone, desk, drawing, keys = [], [], [], []
        for _ in range(rounds):
            seed = secrets.randbits(32)
            alone.append(by_ideas(home, files, seed))
            rate, share = by_desk(home, files, seed)
            desk.append(rate)
            drawing.append(share)
            keys += typing(home, files, seed)
            print(f"  ideas {alone[-1]:.0f} tok/s, desk {rate:.0f} tok/s, drawing {share:.1%} of a core", flush=True)
        ratios = [one / two for one, two in zip(desk, alone, strict=True)]
        keys.sort()
        print(
            f"speed to `ideas`: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}; at least 0.95)"
        )
        print(f"drawing: {statistics.median(drawing):.1%} of one core, at most {max(drawing):.1%} (at most 15 %)")
        print(
            f"key to screen while writing: median {statistics.median(keys) * 1e3:.0f} ms, "
            f"95th percentile {keys[int(0.95 * len(keys))] * 1e3:.0f} ms of {len(keys)} (at most 50)"
        )
        print(f"1,000 ideas open in {opening(home, files):.2f} s (at most 0.5)")


def starter() -> list[str]:
    from baco_local.catalog.reading import read_catalog

    pair = read_catalog().pair("starter").files
    return ["--base", str(pair["base"].path), "--aligned", str(pair["aligned"].path)]


def by_ideas(home: Path, files: list[str], seed: int) -> float:
    """Tokens a second, from the first evaluation to the end."""
    options = ["-n", str(N), "--max-tokens", str(TOKENS), "--seed", str(seed), "--json", *files]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "baco_local", "ideas", PROMPT, *options],
        env=os.environ | {"BACO_LOCAL_HOME": str(home)}, capture_output=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    return float(found["tokens"] / found["seconds"])


def by_desk(home: Path, files: list[str], seed: int) -> tuple[float, float]:
    """Tokens a second by the last idea's time, and the main thread's share of a core meanwhile."""
    terminal = ready(home, files, seed)
    try:
        started, before = time.monotonic(), cpu(terminal.child.pid)
        terminal.press(CTRL_G)
        terminal.until(f"{N} of {N} done", 120)
        share = (cpu(terminal.child.pid) - before) / (time.monotonic() - started)
        terminal.press(CTRL_Q)
        assert terminal.ended() == 0
        return rate(home), share
    finally:
        terminal.close()


def typing(home: Path, files: list[str], seed: int) -> list[float]:
    """Seconds from key to screen for letters typed while ideas are written, seven a second."""
    terminal = ready(home, files, seed)
    try:
        terminal.press(CTRL_G)
        terminal.until("tok/s", 60)
        terminal.press("i")
        time.sleep(0.3)
        delays: list[float] = []
        while f"{N} of {N} done" not in terminal.shown():
            delays.append(typed(terminal, "abcdefghijklmnopqrstuvwxyz"[len(delays) % 26]))
            time.sleep(0.15)
        terminal.press(CTRL_Q)
        terminal.ended()
        return delays
    finally:
        terminal.close()


def ready(home: Path, files: list[str], seed: int) -> Terminal:
    """The desk with the prompt typed and the models loaded."""
    code = FIXED.format(seed=seed)
    terminal = Terminal(["-P", "-c", code, "tui", *files], {"BACO_LOCAL_HOME": str(home)}, (160, 48), emulated=False)
    terminal.until("Type what the ideas")
    terminal.press(PROMPT)
    terminal.until("t do not come")
    time.sleep(2)
    return terminal


def rate(home: Path) -> float:
    from baco_local.library import Library

    with Library(home / "data" / "library.db") as library:
        ideas = library.ideas(library.history(limit=1)[0].node.id)
    longest: Any = max(idea.seconds or 0 for idea in ideas)
    return sum(idea.tokens or 0 for idea in ideas) / float(longest)


def typed(terminal: Terminal, letter: str) -> float:
    """Seconds until the letter that was typed stands behind the prompt."""
    with terminal.lock:
        before = len(terminal.raw)
    started = time.monotonic()
    terminal.press(letter)
    while True:
        with terminal.lock:
            new = ESCAPES.sub(b"", terminal.raw[before:])
        if letter.encode() in new:
            return time.monotonic() - started
        if time.monotonic() - started > 5:
            return 5.0
        time.sleep(0.001)


def cpu(pid: int) -> float:
    """Seconds of processor time that the main thread, whose number is the process's, has taken."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def opening(home: Path, files: list[str]) -> float:
    """Seconds from the key that opens a session of 1,000 ideas to the first of them on the screen."""
    from baco_local.collaboration.events import Began, Ended, Wrote
    from baco_local.collaboration.variant import Token, Variant
    from baco_local.library import Library

    with Library(home / "data" / "library.db") as library:
        _, recorder = library.record(
            "a thousand", {"pair": "starter", "options": {"router": "p-punc", "threshold": 0.35}}
        )
        for index in range(1000):
            trace = tuple(Token(f" word{n}", n, "base" if n % 3 else "aligned", True, 0.5, 0.3, 2.0) for n in range(64))
            recorder.tell(Began(index))
            for token in trace:
                recorder.tell(Wrote(index, token))
            text = "".join(token.piece for token in trace)
            recorder.tell(Ended(Variant(index, text, trace, "end", 1, "p-punc", 0.35, 1.0)))
        recorder.close()
    terminal = Terminal(["-P", "-m", "baco_local", "tui", *files], {"BACO_LOCAL_HOME": str(home)}, (160, 48))
    try:
        terminal.until("Type what the ideas")
        terminal.press(F2)
        terminal.until("1000 ideas")
        time.sleep(0.5)
        started = time.monotonic()
        terminal.press("\r")
        terminal.until("1000 of 1000 done")
        terminal.until("word0")
        took = time.monotonic() - started
        terminal.press(CTRL_Q)
        terminal.ended()
        return took
    finally:
        terminal.close()


if __name__ == "__main__":
    main()
