"""Kills a writing process at random moments and looks at what is left: python tests/kills.py [COUNT]

Whatever another process saw in the library before a kill must be there after it, and the library whole.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from oracle import write_model

from baco_local.library import Library

WORDS = [" sea", " sun", " tide", " wolf", ",", "."]


@dataclass
class Kills:
    """count: kills; cut: nodes that were being written then; nodes: in the library at the end."""

    count: int = 0
    cut: int = 0
    nodes: int = 0


def pair(folder: Path) -> list[str]:
    letters = sorted({char for word in WORDS for char in word if char.isalpha()})
    row = {" sea": 0.3, " sun": 0.3, " tide": 0.2, " wolf": 0.2}
    rows = dict.fromkeys(["\n", *WORDS, *letters, " "], row)
    files = [
        write_model(folder / f"{side}.gguf", [" ", *letters, *WORDS], rows, context=32_000)
        for side in ("base", "aligned")
    ]
    return ["--base", str(files[0]), "--aligned", str(files[1])]


def seen(path: Path) -> dict[str, tuple[str, str | None]]:
    """(text, stop) by id, as another process sees it now."""
    if not path.exists():
        return {}
    connection = sqlite3.connect(path, timeout=20)
    try:
        return {id: (text, stop) for id, text, stop in connection.execute("SELECT id, text, stop FROM nodes")}
    except sqlite3.OperationalError:
        return {}  # not made yet
    finally:
        connection.close()


def kill(home: Path, files: list[str], after: float, kills: Kills) -> None:
    path = home / "data" / "library.db"
    command = [sys.executable, "-P", "-m", "baco_local", "ideas", "x", "-n", "4", "--max-tokens", "6000", "-q", *files]
    environment = os.environ | {"BACO_LOCAL_HOME": str(home)}
    before = len(seen(path))
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        started = time.monotonic()
        while len(seen(path)) <= before and child.poll() is None and time.monotonic() - started < 30:
            time.sleep(0.02)
        time.sleep(after)
        known = seen(path)
        child.send_signal(signal.SIGKILL)
    kills.count += 1
    kills.cut += sum(stop is None for _, stop in seen(path).values())
    with Library(path) as library:
        library.history()
    now = seen(path)
    for id, (text, stop) in known.items():
        assert id in now, f"{id} is lost"
        assert now[id][0].startswith(text), f"{id} lost a part"
        assert now[id][1] == (stop or now[id][1]), f"{id} ended in another way"
        assert now[id][1] is not None, f"{id} looks as if it were being written"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    connection.close()
    kills.nodes = len(now)


def many(count: int, folder: Path, seed: int = 1) -> Kills:
    rng, kills, files = random.Random(seed), Kills(), pair(folder)
    for _ in range(count):
        kill(folder / "home", files, rng.uniform(0, 1.5), kills)
    return kills


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(many(int((sys.argv[1:] or ["200"])[0]), Path(folder)))
