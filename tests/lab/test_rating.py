"""Blind comparisons: sides that tell nothing, answers that stay, and intervals that can be looked up."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_sweep import planned, written

from baco_local.errors import UsageProblem
from baco_local.lab import swept
from baco_local.lab.rating import comparison, preference, preferences, setting_of, unanswered
from baco_local.library import Library
from baco_local.library.rating import QUESTIONS, Rating


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written(planned(prompts=12), tmp_path / "s.jsonl")
    return tmp_path / "s.jsonl"


def test_settings_are_named_by_method_and_value(path: Path) -> None:
    found = swept.read(path)
    assert setting_of(found, "p=0.7") == ("p", 0.7)
    assert setting_of(found, "p") == ("p", 0.7)
    assert setting_of(found, "base-whole=1") == ("base-whole", 1.0)
    for given, says in [
        ("q=0.7", "no q in this sweep; there are p, rand, aligned, base-whole"),
        ("p=0.5", r"p has 0\.2, 0\.7"),
        ("p=x", "give a method and one of its values"),
        ("", "no such method"),
    ]:
        with pytest.raises(UsageProblem, match=says):
            setting_of(found, given)
    with pytest.raises(UsageProblem, match="one setting"):
        comparison(found, "p=0.7", "p", 2, 0)


def test_neither_the_order_nor_the_sides_tell(path: Path) -> None:
    found = swept.read(path)
    one = comparison(found, "p", "aligned", ideas=2, seed=0)
    assert one == comparison(found, "aligned=1", "p=0.7", ideas=2, seed=0)
    other = comparison(found, "p", "aligned", ideas=2, seed=1)
    assert one.name == other.name
    assert [pairing.prompt for pairing in one.pairings] != [pairing.prompt for pairing in other.pairings]
    assert {pairing.swapped for pairing in one.pairings} == {True, False}
    assert all(len(pairing.one) == len(pairing.two) == 2 for pairing in one.pairings)
    answered = [Rating(one.name, one.pairings[0].key, "p=0.7", "aligned=1", question, 1) for question in QUESTIONS[:2]]
    left = list(unanswered(one, answered))
    assert left[0] == (one.pairings[0], [QUESTIONS[2]])
    assert len(left) == 12


def test_an_interval_is_wilsons() -> None:
    found = preference([1] * 8 + [-1] * 2)
    assert (found.one, found.two, found.neither, found.share) == (8, 2, 0, 0.8)
    assert (found.low, found.high) == pytest.approx((0.4901, 0.9433), abs=0.001)
    assert preference([1, -1, 0, 0]).share == 0.5
    assert preference([]).record() == {"one": 0, "two": 0, "neither": 0, "share": 0.5, "low": 0, "high": 1}
    whole = preferences([Rating("c", "x", "a", "b", "quality", 1), Rating("c", "x", "a", "b", "diversity", -1)])
    assert whole["quality"].share == 1
    assert whole["all three"].share == 0.5


def test_answers_are_kept_at_once_and_the_last_one_counts(tmp_path: Path) -> None:
    with Library(tmp_path / "library.db") as library:
        library.rate(Rating("c", "A", "p=0.7", "aligned=1", "quality", 1), [["x"], ["y"]])
        library.rate(Rating("c", "A", "p=0.7", "aligned=1", "quality", -1), [["x"], ["y"]])
        library.rate(Rating("d", "A", "p=0.7", "aligned=1", "quality", 0), [["x"], ["y"]])
        [found] = library.ratings("c")
        assert (found.prompt, found.answer) == ("A", -1)
        assert found.created > 1e9
        assert len(library.ratings()) == 2


def asked(path: Path, home: Path, answers: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-P", "-m", "baco_local", "rate", str(path), "p=0.7", "aligned=1", *options]
    env = os.environ | {"BACO_LOCAL_HOME": str(home)}
    return subprocess.run(command, input=answers.encode(), capture_output=True, timeout=60, env=env)


def test_a_session_is_blind_and_goes_on(path: Path, tmp_path: Path) -> None:
    done = asked(path, tmp_path / "home", "1\nwhat?\n2\n0\ns\nq\n", "--json")
    assert done.returncode == 0, done.stderr
    said = done.stderr.decode()
    assert "type 1, 2, 0, s or q" in said
    assert "p=0.7" not in said
    assert "aligned" not in said
    found = json.loads(done.stdout)
    assert (found["one"], found["two"]) == ("aligned=1", "p=0.7")
    counts = {name: [one[key] for key in ("one", "two", "neither")] for name, one in found["questions"].items()}
    assert counts["creativity"] == [0, 0, 1]
    assert sum(counts["all three"]) == 3
    first = comparison(swept.read(path), "p", "aligned", 4, 0).pairings[0]
    assert counts["quality"] == ([0, 1, 0] if first.swapped else [1, 0, 0])
    again = asked(path, tmp_path / "home", "", "--json")
    assert "prompt 1 of 11" in again.stderr.decode()
    assert json.loads(again.stdout) == found
    told = asked(path, tmp_path / "home", "", "--results")
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"1 for neither" in told.stdout


def test_prompts_that_say_the_same_are_two_and_other_ideas_another_comparison(tmp_path: Path) -> None:
    plan = planned(prompts=2)
    alike = replace(plan, prompts=tuple(replace(prompt, prompt="Same") for prompt in plan.prompts))
    written(alike, tmp_path / "same.jsonl")
    done = asked(tmp_path / "same.jsonl", tmp_path / "home", "1\n1\n1\n2\n2\n2\n", "--json")
    everything = json.loads(done.stdout)["questions"]["all three"]
    assert sum(everything[name] for name in ("one", "two", "neither")) == 6
    written(replace(alike, request=replace(alike.request, seed=8)), tmp_path / "other.jsonl")
    other = asked(tmp_path / "other.jsonl", tmp_path / "home", "", "--results")
    assert b"no answers yet" in other.stdout


def test_nothing_is_made_by_looking(path: Path, tmp_path: Path) -> None:
    done = asked(path, tmp_path / "home", "", "--results")
    assert b"no answers yet" in done.stdout
    assert not (tmp_path / "home" / "data" / "library.db").exists()


def test_what_models_write_is_shown_as_text(path: Path, tmp_path: Path) -> None:
    bad = path.read_text().replace('"text": "', '"text": "[bold]\\u001b[31m')
    path.write_text(bad)
    done = asked(path, tmp_path / "home", "q\n")
    assert b"\x1b" not in done.stderr
    assert b"[bold]" in done.stderr
    nothing: Any = asked(tmp_path / "none", tmp_path / "home", "")
    assert nothing.returncode == 2
    assert b"can't be read" in nothing.stderr
