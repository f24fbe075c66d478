"""Sweeps: the grid, the file, and going on after whatever broke it off."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import END, ScriptedSide, engine

from baco_local.collaboration.settings import Request, Sampling, Steering
from baco_local.errors import Problem, UsageProblem
from baco_local.lab import sweep, swept
from baco_local.lab.grid import METHODS, grid
from baco_local.lab.prompts import Prompt, prompts_of, read_prompts

WORDS = [" sea", " sun", " tide", " moon", "."]


def scripted() -> Any:
    def base(text: str) -> dict[str, float]:
        return {" sun": 0.5, " moon": 0.3, " tide": 0.2}

    def aligned(text: str) -> dict[str, float]:
        return {" sea": 0.5, " tide": 0.3, ".": 0.1, END: 0.1}

    return engine(ScriptedSide("base", WORDS, base), ScriptedSide("aligned", WORDS, aligned))


def planned(k: int = 3, prompts: int = 3, **options: Any) -> sweep.Plan:
    settings = grid(["p", "rand", "aligned", "base-whole"], Steering(), [0.2, 0.7], [0.5, 1.0])
    chosen = tuple(Prompt(f"p{at}", "", f"Prompt {at}") for at in range(prompts))
    files = {"base": {"size": 1, "sha256": "a"}}
    return sweep.Plan(chosen, settings, Request("-", n=k, max_tokens=6, slots=5, **options), "scripted", files)


def written(plan: sweep.Plan, path: Path) -> int:
    """How many blocks were there already."""
    file, done = sweep.opened(plan, path)
    with file:
        list(sweep.write(plan, scripted(), file, done, threading.Event()))
    return done


def test_every_method_has_as_many_settings() -> None:
    found = grid(METHODS, Steering(sampling=Sampling(min_p=0.1)))
    assert {method: sum(one.method == method for one in found) for method in METHODS} == dict.fromkeys(METHODS, 5)
    thresholds = [one.value for one in found if one.method == "h"]
    assert thresholds == sorted(thresholds, reverse=True)
    [whole] = grid(["aligned-whole"], Steering(), [0.1], [2.0])
    assert (whole.steering.router, whole.steering.sampling.min_p, whole.steering.sampling.temperature) == (
        "aligned",
        0,
        2,
    )
    assert all(one.steering.sampling.min_p == 0.1 for one in found)


@pytest.mark.parametrize(
    ("methods", "diversities", "temperatures", "says"),
    [
        (["p", "pp"], [0.1], [1.0], "no router is called 'pp'"),
        (["p", "p"], [0.1], [1.0], "given twice"),
        (["p"], [0.1, 0.2], [1.0], "as many chances"),
        (["p"], [], [], "at least one"),
        (["p"], [1.5], [1.0], "out of range"),
        (["base"], [0.5], [-1.0], "out of range"),
        (["p-whole"], [0.5], [1.0], "no router is called"),
        (["p"], [0.3, 0.3000001], [1.0, 2.0], "come to the same threshold"),
    ],
)
def test_grids_that_are_none(methods: Any, diversities: Any, temperatures: Any, says: str) -> None:
    with pytest.raises(UsageProblem, match=says):
        grid(methods, Steering(), diversities, temperatures)


def test_prompts_are_read_in_every_form(tmp_path: Path) -> None:
    own = read_prompts()
    assert len(own) == 20
    assert len({prompt.category for prompt in own}) == 8
    plain = prompts_of(["\ufeffA name", "", "  An opening  "], "f")
    assert [prompt.prompt for prompt in plain][1] == "An opening"
    novelty = '{"id": "curated-0", "category": "Creativity", "prompt": "Tell me", "prompt_paraphrases": ["x"]}'
    assert prompts_of([novelty], "f") == (Prompt("curated-0", "Creativity", "Tell me"),)
    (tmp_path / "bom.txt").write_bytes("\ufeffA name\n".encode())
    assert read_prompts(tmp_path / "bom.txt")[0].prompt == "A name"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no prompts in it"),
        (b'{"text": "x"}', "line 1: is no JSON object with `prompt`"),
        (b'{"prompt": " "}', "no text in it"),
        (b'{"prompt": 4}', "no text in it"),
        (b'{"prompt": "a", "id": 1}\n{"prompt": "b", "id": 1}', "line 2: the id '1' is there already"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"{" * 100_000, "line 1"),
        (b'{"prompt": "a\\ud800b"}', "not valid UTF-8"),
    ],
)
def test_prompts_that_are_none(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UsageProblem, match=says):
        read_prompts(tmp_path / "f")
    with pytest.raises(UsageProblem, match="can't be read"):
        read_prompts(tmp_path / "nothing")


def test_a_sweep_has_every_setting_of_every_prompt(tmp_path: Path) -> None:
    plan = planned()
    assert written(plan, tmp_path / "s") == 0
    found = swept.read(tmp_path / "s")
    assert list(found.prompts) == ["p0", "p1", "p2"]
    assert len(found.ideas) == 3 * 8
    assert all(len(ideas) == 3 for ideas in found.ideas.values())
    shares = {key[1:]: [idea["base_tokens"] for idea in ideas] for key, ideas in found.ideas.items()}
    assert not any(shares["aligned", 1.0])
    assert any(shares["base-whole", 1.0])
    assert found.header["settings"][0] == {
        "method": "p",
        "value": 0.2,
        "router": "p",
        "threshold": 0.2,
        "sampling": {**found.header["settings"][0]["sampling"], "min_p": 0.05},
    }
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_a_sweep_cut_anywhere_comes_to_the_same_file(tmp_path: Path) -> None:
    plan = planned(k=2, prompts=2)
    written(plan, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = [len(b"".join(lines[:at])) for at in range(len(lines) + 1)]
    for cut in sorted({0, 1, 40, *ends, *(end + 7 for end in ends[:-1]), len(whole) - 1}):
        (tmp_path / "cut").write_bytes(whole[:cut])
        written(plan, tmp_path / "cut")
        assert (tmp_path / "cut").read_bytes() == whole, cut


def test_every_character_that_ends_a_line_somewhere_stays_inside_one(tmp_path: Path) -> None:
    odd = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    prompts = (Prompt("p0", "", odd), Prompt("p1", "", "x"))
    plan = replace(planned(), prompts=prompts)
    written(plan, tmp_path / "s")
    content = (tmp_path / "s").read_text()
    (tmp_path / "s").write_text(content.replace('"text": " sea', f'"text": "{odd[:7]} sea'), newline="\n")
    found = swept.read(tmp_path / "s")
    assert list(found.prompts.values()) == [odd, "x"]
    (tmp_path / "prompts").write_text("one \u2028 two\r\nthree\x0bfour\r\n", newline="")
    assert [prompt.prompt for prompt in read_prompts(tmp_path / "prompts")] == ["one \u2028 two", "three\x0bfour"]


def test_a_stop_drops_what_is_half_done_and_keeps_the_rest(tmp_path: Path) -> None:
    plan, stopped = planned(), threading.Event()
    file, _ = sweep.opened(plan, tmp_path / "s")
    with file:
        for kept in sweep.write(plan, scripted(), file, 0, stopped):
            if kept:
                stopped.set()
    assert list(swept.read(tmp_path / "s").prompts) == ["p0"]
    assert written(plan, tmp_path / "s") == 1


def test_many_settings_are_written_in_several_blocks(tmp_path: Path) -> None:
    plan = planned(k=100, prompts=1)
    assert [len(settings) for _, settings in plan.blocks] == [5, 3]
    written(plan, tmp_path / "s")
    found = swept.read(tmp_path / "s")
    assert len(found.ideas["p0", "base-whole", 1.0]) == 100


def test_another_sweeps_file_is_left_alone(tmp_path: Path) -> None:
    written(planned(), tmp_path / "s")
    before = (tmp_path / "s").read_bytes()
    for plan, says in [
        (planned(seed=4), "other options"),
        (planned(k=4), "other k"),
        (planned(prompts=2), "other prompts"),
    ]:
        with pytest.raises(UsageProblem, match=says):
            sweep.opened(plan, tmp_path / "s")
    (tmp_path / "novel").write_text("Chapter 1\n")
    with pytest.raises(UsageProblem, match="is there already, and no sweep"):
        sweep.opened(planned(), tmp_path / "novel")
    assert (tmp_path / "s").read_bytes() == before
    assert (tmp_path / "novel").read_text() == "Chapter 1\n"
    with pytest.raises(UsageProblem, match="is no plain file"):
        sweep.opened(planned(), tmp_path)
    with pytest.raises(UsageProblem, match="can't be written"):
        sweep.opened(planned(), tmp_path / "nowhere" / "s")


def test_a_damaged_line_costs_nothing_that_stands_behind_it(tmp_path: Path) -> None:
    written(planned(), tmp_path / "s")
    lines = (tmp_path / "s").read_bytes().splitlines(keepends=True)
    lines[5] = b"{oops}\n"
    (tmp_path / "s").write_bytes(b"".join(lines))
    with pytest.raises(UsageProblem, match="line 6 is damaged, and 72 lines from there on would be lost"):
        sweep.opened(planned(), tmp_path / "s")
    assert (tmp_path / "s").read_bytes() == b"".join(lines)


@pytest.mark.parametrize("deed", ["emptied", "removed", "replaced"])
def test_a_file_that_others_change_meanwhile_is_not_written_to(tmp_path: Path, deed: str) -> None:
    path = tmp_path / "s"
    file, _ = sweep.opened(planned(), path)
    writing = sweep.write(planned(), scripted(), file, 0, threading.Event())
    while not next(writing):
        pass
    if deed == "emptied":
        os.truncate(path, 0)
    else:
        path.unlink()
    if deed == "replaced":
        path.write_text("somebody's")
    with file, pytest.raises(Problem, match="was changed by another program"):
        list(writing)
    if path.exists():
        assert path.read_text() == ("somebody's" if deed == "replaced" else "")


@pytest.mark.parametrize("line", ["[]", "5", "[" * 5000, '{"prompt": "p0", "method": "p", "value": 0.2, "index": 0}'])
def test_lines_that_are_no_ideas_are_told_by_their_number(tmp_path: Path, line: str) -> None:
    written(planned(), tmp_path / "s")
    lines = (tmp_path / "s").read_text().split("\n")
    lines[1] = line
    (tmp_path / "s").write_text("\n".join(lines))
    with pytest.raises(UsageProblem, match="line 2 is damaged"):
        sweep.opened(planned(), tmp_path / "s")
    with pytest.raises(UsageProblem, match="line 2: is no idea"):
        swept.read(tmp_path / "s")


def test_what_is_known_of_a_models_file_may_grow(tmp_path: Path) -> None:
    plan = replace(planned(), files={"base": {"size": 1, "sha256": None}})
    written(plan, tmp_path / "s")
    assert written(planned(), tmp_path / "s") == 3
    with pytest.raises(UsageProblem, match="other models"):
        sweep.opened(replace(planned(), files={"base": {"size": 2, "sha256": "a"}}), tmp_path / "s")
    with pytest.raises(UsageProblem, match="other options"):
        sweep.opened(replace(planned(), cache_type="q8_0"), tmp_path / "s")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no sweep"),
        (b"A novel\n", "is no sweep"),
        (b'{"sweep": 2}\n', "form 2"),
        (b'{"sweep": 1}\n', "is no sweep"),
        (b"[]\n", "is no sweep"),
        (
            b'{"sweep": 1, "k": 2, "pair": "x", "files": {}, "options": {}, "settings": [4], "prompts": []}\n',
            "is no sweep",
        ),
    ],
)
def test_files_that_are_no_sweep(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(UsageProblem, match=says):
        swept.read(tmp_path / "s")
    written(planned(), tmp_path / "broken")
    with (tmp_path / "broken").open("ab") as file:
        file.write(b'{"prompt": "p0"}\n')
    with pytest.raises(UsageProblem, match="line 74: is no idea"):
        swept.read(tmp_path / "broken")


def test_a_real_sweep_killed_half_way_and_gone_on_with_is_the_same(starter: dict[str, Path], tmp_path: Path) -> None:
    """By SIGKILL in the second prompt, then by Ctrl-C in what is left, then to the end."""
    options = ["--base", starter["base"], "--aligned", starter["aligned"], "--limit", 3, "-k", 3, "--max-tokens", 12]
    options += ["--methods", "p-punc,rand,aligned", "--diversities", "0.2,0.6", "--temperatures", "0.7,1.2"]

    def started(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "baco_local", "sweep", "-o", tmp_path / name, *options]
        return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)

    def interrupted(after: int, number: int) -> tuple[int, bytes]:
        child = started("cut")
        while len((tmp_path / "cut").read_bytes().splitlines() if (tmp_path / "cut").exists() else []) < after:
            assert child.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)
        child.send_signal(number)
        return child.wait(60), child.stderr.read() if child.stderr else b""

    whole = started("whole")
    assert f"see: baco-local report {tmp_path / 'whole'} --base" in whole.communicate(timeout=120)[1].decode()
    assert interrupted(1 + 18, signal.SIGKILL)[0] == -signal.SIGKILL
    with (tmp_path / "cut").open("ab") as file:
        file.write(b'{"prompt": "names-2", "me')
    code, said = interrupted(1 + 36, signal.SIGINT)
    assert code == 130, said
    assert b"36 of 54 ideas are in" in said
    last = started("cut")
    said = last.communicate(timeout=120)[1]
    assert last.returncode == 0, said
    assert b"36 of 54 ideas are there; going on" in said
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()
    methods = {json.loads(line)["method"] for line in (tmp_path / "cut").read_bytes().splitlines()[1:]}
    assert methods == {"p-punc", "rand", "aligned"}


def test_two_sweeps_at_once_are_refused(tmp_path: Path, starter: dict[str, Path], baco: Any) -> None:
    from filelock import FileLock

    home = tmp_path / "home" / "data"
    home.mkdir(parents=True)
    with FileLock(home / "sweep.lock"):
        done = baco(
            *("sweep", "-o", tmp_path / "s", "--base", starter["base"], "--aligned", starter["aligned"]),
            env={**os.environ, "BACO_LOCAL_HOME": str(tmp_path / "home")},
        )
    assert done.returncode == 2
    assert b"another sweep is being written" in done.stderr
    assert not (tmp_path / "s").exists()
