"""Opens the desk, writes at it and quits, many times in one process: python tests/cycles.py [CYCLES]

Over a scripted pair, so that the desk is what is measured: does anything stay behind?
"""

import asyncio
import gc
import os
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "tui"))

from desks import ScriptedPair

from baco_local.catalog.given import given_entry
from baco_local.collaboration.settings import Steering
from baco_local.library import Library
from baco_local.preferences import DeskPreferences
from baco_local.tui.app import Desk
from baco_local.tui.desk import Setup
from baco_local.tui.scribe import Scribe
from baco_local.tui.studio import Studio


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


if __name__ == "__main__":
    cycles(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
