"""The README's pictures: `python tests/pictures.py` writes them to tests/pictures, with the starter pair.

The app's own screenshots, dark and light: ideas while they are written, and the words of one. The seeds are fixed; another
machine may round otherwise and write other ideas.
"""

import asyncio
import itertools
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "tui"))

from desks import until  # noqa: E402

from baco_local.catalog.reading import read_catalog  # noqa: E402
from baco_local.library import Library  # noqa: E402
from baco_local.pair import open_entry, own_steering  # noqa: E402
from baco_local.preferences import DeskPreferences  # noqa: E402
from baco_local.tui.app import Desk  # noqa: E402
from baco_local.tui.desk import Setup  # noqa: E402
from baco_local.tui.scribe import Scribe  # noqa: E402
from baco_local.tui.studio import Studio  # noqa: E402

PROMPT = "An opening line for a story about a lighthouse"
SIZE = (132, 38)


async def take(theme: str, name: str) -> None:
    seeds = itertools.count(7)
    secrets.randbits = lambda _: next(seeds)  # type: ignore[assignment]
    entry = read_catalog().pair("starter")
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder) / "library.db")
        scribe = Scribe(lambda: open_entry(entry), library)
        studio = Studio(scribe, library, Setup(entry, {"pair": "starter"}, n=12, max_tokens=56), own_steering(entry))
        desk = Desk(studio, lambda entry: open_entry(entry), DeskPreferences(theme=theme))
        desk.cursor_blink = False  # type: ignore[attr-defined]
        try:
            async with desk.run_test(size=SIZE) as pilot:
                await shoot(desk, pilot, name)
        finally:
            studio.close()


async def shoot(desk: Desk, pilot: Any, name: str) -> None:
    studio = desk.studio
    desk.workbench.prompt.set_text(PROMPT)
    await pilot.press("ctrl+g")
    await until(pilot, lambda: sum(len(one.tokens or ()) for one in studio.page.takes) > 12 * 24, 120)
    save(desk, f"desk-{name}")
    await until(pilot, lambda: not studio.scribe.writing and all(one.done for one in studio.page.takes), 120)
    await pilot.press("2", "s")
    desk.workbench.controls.slider.turn_to(0.56)
    await pilot.press("5")
    await pilot.pause(0.3)
    save(desk, f"parted-{name}")
    await pilot.press("t")
    await until(pilot, lambda: getattr(desk.screen, "found", None), 60)
    await pilot.pause(0.5)
    save(desk, f"words-{name}")


def save(desk: Desk, name: str) -> None:
    """Without the fonts that the picture would fetch."""
    picture = re.sub(r"@font-face \{.*?\}", "", desk.export_screenshot(title="baco-local"), flags=re.DOTALL)
    picture = picture.replace("Fira Code", "Menlo, DejaVu Sans Mono, monospace")
    picture = "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"
    (HERE / "pictures").mkdir(exist_ok=True)
    (HERE / "pictures" / f"{name}.svg").write_text(picture, encoding="utf-8")
    print(HERE / "pictures" / f"{name}.svg")


if __name__ == "__main__":
    for theme, name in (("baco-dark", "dark"), ("baco-light", "light")):
        asyncio.run(take(theme, name))
