"""Times the library with 100,000 ideas: python tests/library_speed.py [COUNT]

Makes one in a temporary folder (or in the folder LIBRARY_SPEED names, where it is kept), then runs the commands, each in a
process of its own, three times, and the reading itself, without the start of a process.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from baco_local.collaboration.events import Began, Ended, Wrote
from baco_local.collaboration.variant import Token, Variant
from baco_local.library import Library

RARE = "harpoon"  # in about 6 of 100 ideas; each of WORDS is in nearly all
WORDS = (
    "tide sea wolf lighthouse keeper storm moon harbour song salt letter door winter boat glass night island".split()
)
PER_PROMPT, TOKENS = 16, 64
ORIGIN = {"pair": "starter", "options": {"router": "p-punc", "threshold": 0.35}, "files": {}}


def fill(library: Library, count: int) -> None:
    rng = random.Random(1)
    for number in range(count // PER_PROMPT):
        _, recorder = library.record(f"Prompt {number}: {' '.join(rng.choices(WORDS, k=6))}", ORIGIN)
        for index in range(PER_PROMPT):
            recorder.tell(Began(index))
            trace = []
            for _ in range(TOKENS):
                word = rng.choice(WORDS) if rng.random() < 0.7 else f"{rng.randrange(16**4):x}"
                word = RARE if rng.random() < 0.001 else word
                speaker = rng.choice(["base", "aligned"])
                token = Token(
                    f" {word}", rng.randrange(50_000), speaker, True, rng.random(), rng.random(), 3 * rng.random()
                )
                trace.append(token)
                recorder.tell(Wrote(index, token))
            text = "".join(token.piece for token in trace)
            recorder.tell(Ended(Variant(index, text, tuple(trace), "length", number, "p-punc", 0.35, 2.0)))
        recorder.close()
        if not number % 50:
            library.star(library.ideas(library.history(limit=1)[0].node.id)[3].id)


def timed(work: object) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        work()  # type: ignore[operator]
        best = min(best, time.perf_counter() - started)
    return best


def main(count: int, home: Path) -> None:
    path = home / "data" / "library.db"
    if not path.exists():
        started = time.perf_counter()
        with Library(path) as library:
            fill(library, count)
        print(f"{count:,} ideas of {TOKENS} tokens written in {time.perf_counter() - started:.0f} s")
    size = path.stat().st_size
    print(f"{size / 1e6:.0f} MB, {size / count:,.0f} bytes for an idea with its trace and its words")
    with Library(path) as library:
        entries = library.history(limit=10_000)
        old = entries[-1].node
        reads = {
            "history": lambda: library.history(),
            "history --starred": lambda: library.history(starred=True),
            f"search {RARE}": lambda: library.search(RARE),
            "search lighthouse (in nearly all)": lambda: library.search("lighthouse"),
            "a session": lambda: library.tree(old.session),
            "a trace": lambda: library.trace(library.ideas(old.id)[0].id),
        }
        for name, work in reads.items():
            print(f"  {name:36} {1000 * timed(work):>6.1f} ms")
    environment = os.environ | {"BACO_LOCAL_HOME": str(home)}
    commands = {
        "history": ["history"],
        "history --starred": ["history", "--starred"],
        f"search {RARE}": ["search", RARE],
        "search lighthouse (in nearly all)": ["search", "lighthouse"],
        "show (a session)": ["show", old.id],
    }
    print("as commands, with the start of the process:")
    for name, arguments in commands.items():
        command = [sys.executable, "-P", "-m", "baco_local", *arguments]
        seconds = timed(
            lambda command=command: subprocess.run(command, env=environment, capture_output=True, check=True)
        )
        print(f"  {name:36} {1000 * seconds:>6.1f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(int((sys.argv[1:] or ["100000"])[0]), Path(os.environ.get("LIBRARY_SPEED", folder)))
