"""Writes without a pause, in one process, with everything that a writer does in an evening: python tests/endurance.py [MINUTES]

The starter pair, the library and random stops, turns of the knob, branches, added ideas and new prompts. What is printed: the
slope of the resident memory, descriptors and threads at both ends, and the speed of each sixth of the time.
"""

import os
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import baco_local
from baco_local.collaboration.events import Failed, Wrote
from baco_local.collaboration.routers import ROUTERS
from baco_local.collaboration.settings import Request, Steering
from baco_local.lab.prompts import read_prompts
from baco_local.library import Library

EVERY = 5.0  # seconds between two looks at the process
WARM = 0.2  # of the time, left out of the slope: contexts grow to their largest, caches fill


@dataclass
class Seen:
    """seconds since the begin, and what the process was then."""

    seconds: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)  # bytes
    tokens: list[int] = field(default_factory=list)  # written so far
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self, seconds: float, tokens: int) -> None:
        self.seconds.append(seconds)
        self.resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"))
        self.tokens.append(tokens)
        self.descriptors.append(len(os.listdir("/proc/self/fd")))
        self.threads.append(threading.active_count())


def evening(minutes: float, seed: int = 0) -> tuple[Seen, dict[str, int]]:
    dice, prompts, seen = random.Random(seed), read_prompts(), Seen()
    done = dict.fromkeys(("sessions", "stops", "turns", "branches", "added", "tokens"), 0)
    began = last = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Library(Path(folder) / "library.db") as library,
        baco_local.open_pair("starter") as pair,
    ):
        while time.monotonic() - began < 60 * minutes:
            n = dice.choice([1, 4, 8, 16, 24])
            request = Request(
                dice.choice(prompts).prompt,
                n=n,
                seed=dice.getrandbits(32),
                max_tokens=dice.choice([8, 48, 96]),
                spare=2,
            )
            _, recorder = library.record(request.prompt, {})
            session = pair.session(request, steering(dice))
            done["sessions"] += 1
            stop = dice.random() < 0.3
            for event in session.events():
                recorder.tell(event)
                if isinstance(event, Failed):
                    raise event.problem
                if isinstance(event, Wrote):
                    done["tokens"] += 1
                    deed = dice.random()
                    if deed < 0.02:
                        wanted = steering(dice)
                        session.steer(router=wanted.router, threshold=wanted.threshold)
                        done["turns"] += 1
                    elif deed < 0.024:
                        session.branch(event.index, dice.randint(0, 8))
                        done["branches"] += 1
                    elif deed < 0.026:
                        done["added"] += session.add() is not None
                    elif stop and deed < 0.03:
                        session.stop()
                        done["stops"] += 1
                if time.monotonic() - last > EVERY:
                    last = time.monotonic()
                    seen.look(last - began, done["tokens"])
            session.join()
            recorder.close()
    return seen, done


def steering(dice: random.Random) -> Steering:
    name = dice.choice(list(ROUTERS))
    chosen = ROUTERS[name]
    return Steering(name, chosen.at(dice.random()) if chosen.limits else None)


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    seen, done = evening(minutes)
    seconds, resident = np.array(seen.seconds), np.array(seen.resident) / 1e6
    settled = seconds >= WARM * seconds[-1]
    slope = np.polyfit(seconds[settled] / 600, resident[settled], 1)[0]
    print(", ".join(f"{count:,} {name}" for name, count in done.items()), f"in {seconds[-1] / 60:.1f} minutes")
    print(
        f"resident memory: {resident[settled][0]:.0f} MB after {WARM:.0%} of the time, {resident[-1]:.0f} MB at the end, slope {slope:+.2f} MB in ten minutes, most {resident.max():.0f} MB"
    )
    print(
        f"descriptors: {seen.descriptors[0]} at first, {seen.descriptors[-1]} at the end, at most {max(seen.descriptors)}; threads: {seen.threads[0]}, {seen.threads[-1]}, {max(seen.threads)}"
    )
    parts = [part for part in np.array_split(np.arange(len(seconds)), 6) if len(part) > 1]
    rates = [(seen.tokens[part[-1]] - seen.tokens[part[0]]) / (seconds[part[-1]] - seconds[part[0]]) for part in parts]
    print("tokens a second, each sixth of the time: " + ", ".join(f"{rate:.0f}" for rate in rates))


if __name__ == "__main__":
    main()
