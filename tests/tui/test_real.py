"""The desk over the real starter pair: ideas are written, the knob moves who writes them, words can be looked at."""

from pathlib import Path
from typing import Any

import pytest
from desks import until

from baco_local.catalog.given import given_entry
from baco_local.collaboration.settings import Steering
from baco_local.library import Library
from baco_local.tui.app import Desk
from baco_local.tui.desk import Setup, base_share
from baco_local.tui.screens.words import WordsScreen
from baco_local.tui.scribe import Scribe
from baco_local.tui.studio import Studio
from baco_local.tui.widgets.slider import Slider


class Borrowed:
    """The pair of the whole test run: the desk closes what it opened, and this one is others' too."""

    def __init__(self, pair: Any) -> None:
        self.name, self.engine, self.warnings, self.session = pair.name, pair.engine, pair.warnings, pair.session

    def close(self) -> None:
        pass


@pytest.fixture
def real(starter: dict[str, Path], starter_pair: Any, tmp_path: Path) -> Any:
    entry = given_entry(starter["base"], starter["aligned"], None, None)
    assert entry
    library = Library(tmp_path / "library.db")
    pair = Borrowed(starter_pair)
    studio = Studio(Scribe(lambda: pair, library), library, Setup(entry, n=8, max_tokens=32), Steering("p", 0.35))
    yield Desk(studio, lambda _: pair)
    studio.close()


async def test_the_knob_moves_who_writes(real: Desk) -> None:
    studio = real.studio
    async with real.run_test(size=(140, 44)) as pilot:
        shares = []
        for place in (0.05, 0.95):
            real.workbench.query_one(Slider).turn_to(place)
            real.workbench.prompt.set_text(f"An image for the sound of rain, number {len(shares)}")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: studio.page.takes and all(take.done for take in studio.page.takes), 120)
            await until(pilot, lambda: not studio.scribe.writing)
            shares.append(base_share(studio.page.takes))
        assert shares[0] is not None
        assert shares[1] is not None
        assert shares[0] + 0.2 < shares[1], shares


async def test_the_knob_moves_who_writes_while_they_write(real: Desk) -> None:
    studio = real.studio
    studio.setup.max_tokens = 120
    async with real.run_test(size=(140, 44)) as pilot:
        real.workbench.query_one(Slider).turn_to(0.0)
        real.workbench.prompt.set_text("A story about a lighthouse keeper who counts the ships")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: any(len(take.tokens or ()) > 15 for take in studio.page.takes), 120)
        before = base_share(studio.page.takes)
        at = {take: len(take.tokens or ()) for take in studio.page.takes if not take.done}
        real.workbench.query_one(Slider).turn_to(1.0)
        await until(pilot, lambda: not studio.scribe.writing, 240)
        after = [token for take, start in at.items() for token in (take.tokens or [])[start + 10 :]]
        assert after
        assert sum(token.speaker == "base" for token in after) / len(after) > (before or 0) + 0.3
        assert studio.library
        [moved] = {node.moves[0][1:] for node in studio.library.ideas(studio.page.node or "") if node.moves}
        assert moved == ("p", 1.0)


async def test_words_and_alternatives(real: Desk) -> None:
    studio = real.studio
    async with real.run_test(size=(140, 44)) as pilot:
        real.workbench.prompt.set_text("An image for the sound of rain")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: studio.page.takes and all(take.done for take in studio.page.takes), 120)
        await until(pilot, lambda: not studio.scribe.writing)
        card = studio.page.cards[0]
        await pilot.press("t")
        await until(pilot, lambda: isinstance(real.screen, WordsScreen) and real.screen.found, 60)
        screen: Any = real.screen
        at = next(iter(screen.found))
        token = screen.tokens[at]
        if token.base_top_p is not None:
            assert screen.found[at][0][0].token.p == pytest.approx(token.base_top_p, abs=0.08)
        await pilot.press("enter")
        await until(pilot, lambda: len(card.takes) == 2 and card.take.done, 60)
        assert [one.id for one in (card.take.tokens or [])[:at]] == [one.id for one in screen.tokens[:at]]
