"""The knob: base's share where it was measured, the router's own scale where it wasn't."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco_local.catalog.entries import Calibration, PairEntry
from baco_local.catalog.given import given_entry
from baco_local.catalog.reading import parsed
from baco_local.collaboration.routers import ROUTERS, router
from baco_local.errors import UsageProblem
from baco_local.knob import default_at, diversity_at, threshold_at
from baco_local.pair import own_steering

MEASURED = {
    "p": Calibration((0.1, 0.25, 0.4, 0.85), (0.05, 0.3, 0.6, 0.9), 0.25),
    "h": Calibration((4.6, 1.8, 0.3), (0.1, 0.5, 0.8), 1.8),
    "nudging": Calibration((0.9, 0.4), (0.1, 0.5), 0.4),
    "p-punc": Calibration((0.4, 0.6, 0.85), (0.6, 0.6, 0.55), 0.4),  # a plateau, and noise
}
WITH_ONE = [name for name, one in ROUTERS.items() if one.limits]


@pytest.fixture
def entry(tmp_path: Path) -> PairEntry:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    found = given_entry(same=tmp_path / "m.gguf")
    assert found
    return replace(found, name="mine", calibrations=MEASURED)


def test_the_knob_is_bases_share(entry: PairEntry) -> None:
    p, h = router("p"), router("h")
    assert threshold_at(entry, p, 0.3) == pytest.approx(0.25)
    assert threshold_at(entry, p, 0.45) == pytest.approx(0.325)
    assert threshold_at(entry, h, 0.5) == pytest.approx(1.8)
    assert threshold_at(entry, router("nudging"), 0.1) == pytest.approx(0.9)
    assert [threshold_at(entry, p, end) for end in (0, 1)] == [0, 1]
    assert threshold_at(entry, h, 1) == pytest.approx(0, abs=1e-9)
    assert threshold_at(entry, router("rand"), 0.3) == router("rand").at(0.3)  # not measured
    assert diversity_at(entry, p, 0.4) == pytest.approx(0.6)
    assert default_at(entry, p) == 0.25
    assert default_at(entry, router("rand")) is None
    with pytest.raises(UsageProblem, match="diversity 2 is out of range"):
        threshold_at(entry, p, 2)


@pytest.mark.parametrize("name", WITH_ONE)
@given(diversity=st.floats(0, 1))
def test_what_is_set_is_shown(name: str, diversity: float) -> None:
    """There and back is where it was, so that a knob that is turned stays where it is put; and more is more base."""
    entry = replace(PAIR, calibrations=MEASURED)
    threshold = threshold_at(entry, router(name), diversity)
    assert router(name).check(threshold) == threshold
    assert diversity_at(entry, router(name), threshold) == pytest.approx(
        diversity, abs=1e-3 if diversity > 1e-3 else 1e-2
    )
    more = threshold_at(entry, router(name), min(1.0, diversity + 0.05))
    assert more >= threshold if router(name).rising else more <= threshold


@given(st.lists(st.floats(0, 1).map(lambda share: round(share, 4)), min_size=1, max_size=6), st.floats(0, 1))
def test_any_calibration_gives_thresholds_that_can_be(shares: list[float], diversity: float) -> None:
    thresholds = tuple((at + 1) / (len(shares) + 1) for at in range(len(shares)))
    entry = replace(PAIR, calibrations={"rand": Calibration(thresholds, tuple(shares), 0.5)})
    for one in (0.0, diversity, 1.0):
        threshold = threshold_at(entry, router("rand"), one)
        assert 0 <= threshold <= 1
        assert 0 <= diversity_at(entry, router("rand"), threshold) <= 1
    assert threshold_at(entry, router("rand"), 1.0) == 1


PAIR = parsed(
    Path("models.toml"),
    '[pairs.mine]\ntitle = "t"\nlicence = "l"\nbase = { source = "file:/b.gguf" }\naligned = { source = "file:/a.gguf" }\n'
    '[pairs.mine.settings]\nrouter = "p"\n[calibrations.mine.p]\nthresholds = [0.1, 1]\nshares = [0.1, 0.8]\ndefault = 0.1\n',
)
CALIBRATIONS, PAIR = PAIR.calibrations, PAIR.pairs["mine"]


def test_a_pair_takes_its_recommended_threshold_unless_one_is_said(entry: PairEntry) -> None:
    assert own_steering(entry, router="p").threshold == 0.25
    assert own_steering(entry, router="p", threshold=0.7).threshold == 0.7
    assert own_steering(entry, router="p", base_share=0.7).threshold is None
    assert own_steering(entry, router="rand").threshold == router("rand").default
    said = replace(entry, settings={"router": "p", "threshold": 0.6})
    assert own_steering(said).threshold == 0.6
    assert own_steering(said, router="h").threshold == 1.8
    assert own_steering(replace(entry, settings={"router": "p"})).threshold == 0.25
    wrong = replace(entry, calibrations={"p": replace(MEASURED["p"], default=7)})
    with pytest.raises(UsageProblem, match=r"\[calibrations.mine\].*out of range"):
        own_steering(wrong, router="p")


def test_they_are_read_from_a_models_toml() -> None:
    assert {"mine": {"p": Calibration((0.1, 1.0), (0.1, 0.8), 0.1)}} == CALIBRATIONS


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[calibrations.mine]\np = 4", "must be a table with one for each router"),
        ("[calibrations.mine.p]\nthresholds = [1]\nshares = [0.5]", "default"),
        ("[calibrations.mine.p]\nthresholds = [1]\nshares = [0.5, 1]\ndefault = 1", "each threshold has a share"),
        ("[calibrations.mine.p]\nthresholds = []\nshares = []\ndefault = 1", "each threshold has a share"),
        ("[calibrations.mine.p]\nthresholds = [1]\nshares = [1.5]\ndefault = 1", "each threshold has a share"),
        ("[calibrations.mine.p]\nthresholds = ['x']\nshares = [0.5]\ndefault = 1", "finite"),
        ("[calibrations.mine.p]\nthresholds = [nan]\nshares = [0.5]\ndefault = 1", "finite"),
        ("[calibrations.mine.p]\nthresholds = [1]\nshares = [0.5]\ndefault = 1\nx = 1", "x"),
    ],
)
def test_calibrations_that_are_none(table: str, says: str) -> None:
    with pytest.raises(UsageProblem, match=says):
        parsed(Path("models.toml"), table)


def test_the_best_threshold_is_of_the_largest_area_in_a_pool_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quality times diversity: of p's settings the middle one, whatever methods of other kinds were swept as well."""
    from baco_local.lab import calibration
    from baco_local.lab.points import DIVERSITY, Points
    from baco_local.lab.swept import Sweep
    from baco_local.lab.vectors import embedder

    quality = {"p": [1.0, 0.8, 0.0], "aligned": [0.9, 0.5, 0.4], "aligned-whole": [9.0, 0.0, 0.0]}
    diversity = {"p": [0.0, 0.8, 1.0], "aligned": [0.1, 0.2, 0.3], "aligned-whole": [0.0, 0.0, 90.0]}
    settings = tuple((method, float(at)) for method in quality for at in range(3))
    q, d = (np.array([value for values in table.values() for value in values]) for table in (quality, diversity))
    tokens = np.full((9, 6), 10.0)
    shares = np.array([place for _, place in settings])[:, None] * np.ones((1, 6))
    points = Points(
        settings,
        tuple("abcdef"),
        ("relevance",),
        np.ones((1, 6, 1)) * d[:, None, None] * np.ones(len(DIVERSITY)),
        np.ones((1, 6, 1)) * q[:, None, None],
        tokens,
        shares,
    )
    monkeypatch.setattr(calibration, "points_of", lambda *given: points)
    sweep = Sweep({"k": 1, "settings": [], "prompts": [{"id": "a", "prompt": "A"}]}, {})
    found = calibration.calibrations(sweep, embedder())
    assert list(found) == ["p"]
    assert found["p"].calibration == Calibration((0.0, 1.0, 2.0), (0.0, 0.1, 0.2), 1.0)
    assert found["p"].certainty == 1


def test_a_pair_is_calibrated_and_the_knob_says_the_share(tiny: list[Any], tmp_path: Path, baco: Any) -> None:
    """Of a tiny pair in which all words are equally likely; then a second time from a sweep."""
    home = {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    assert baco("models", "add", "mine", *tiny, env=home).returncode == 0
    options = ["--pair", "mine", "--prompts", 2, "-k", 2, "--max-tokens", 12]
    shown = baco("calibrate", *options, "--no-store", env=home)
    assert shown.returncode == 0, shown.stderr
    file = tmp_path / "home" / "config" / "models.toml"
    assert "calibrations" not in file.read_text()
    done = baco("calibrate", *options, env=home)
    assert done.returncode == 0, done.stderr
    assert "base's share of the tokens" in done.stdout.decode()
    assert "[calibrations.mine]" in done.stderr.decode()
    assert not list((tmp_path / "home" / "state").glob("calibration*"))
    stored = parsed(file, file.read_text()).calibrations["mine"]
    assert set(stored) == set(WITH_ONE)
    assert stored["rand"].shares[0] < stored["rand"].shares[-1]
    entry = replace(PAIR, calibrations=stored)
    wanted = threshold_at(entry, router("rand"), 0.5)
    ideas = baco(
        "ideas",
        "x",
        "--pair",
        "mine",
        "--router",
        "rand",
        "--diversity",
        0.5,
        "-n",
        1,
        "--max-tokens",
        4,
        "--jsonl",
        env=home,
    )
    assert json.loads(ideas.stdout)["threshold"] == wanted
    swept = baco(
        "sweep",
        "-o",
        tmp_path / "s",
        "--pair",
        "mine",
        "--limit",
        2,
        "-k",
        2,
        "--max-tokens",
        12,
        "--methods",
        "rand,aligned",
        env=home,
    )
    assert swept.returncode == 0, swept.stderr
    again = baco("calibrate", tmp_path / "s", env=home)
    assert again.returncode == 0, again.stderr
    found = parsed(file, file.read_text()).calibrations["mine"]
    assert found["p"] == stored["p"]
    assert found["rand"].thresholds == (0.1, 0.25, 0.4, 0.6, 0.85)
    given = baco("calibrate", *tiny, env=home)
    assert given.returncode == 2
    assert b"is not in the catalogue" in given.stderr
    assert baco("models", "remove", "mine", env=home).returncode == 0
    assert "calibrations" not in file.read_text()
