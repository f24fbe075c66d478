"""A desk over a scripted pair."""

import itertools
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from desks import ScriptedPair

from baco_local.catalog.given import given_entry
from baco_local.collaboration.settings import Steering
from baco_local.library import Library
from baco_local.preferences import DeskPreferences
from baco_local.tui.app import Desk
from baco_local.tui.desk import Setup
from baco_local.tui.scribe import Scribe
from baco_local.tui.studio import Studio


@pytest.fixture
def pair() -> ScriptedPair:
    return ScriptedPair()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library.db")


@pytest.fixture
def studio(tmp_path: Path, pair: ScriptedPair, library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """Over the scripted pair, with four ideas of twelve tokens; the same in every run."""
    seeds = itertools.count(1)
    monkeypatch.setattr(secrets, "randbits", lambda _: next(seeds))
    for side in ("base", "aligned"):
        (tmp_path / f"{side}.gguf").touch()
    entry = given_entry(tmp_path / "base.gguf", tmp_path / "aligned.gguf", None, None)
    assert entry
    made = Studio(Scribe(lambda: pair, library), library, Setup(entry, n=4, max_tokens=12), Steering("p", 0.35))
    yield made
    pair.gate.set()
    made.close()


@pytest.fixture
def desk(studio: Studio, pair: ScriptedPair) -> Desk:
    return Desk(studio, lambda entry: pair, DeskPreferences(variants=4, max_tokens=12))
