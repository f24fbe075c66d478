"""Reports: the page, its numbers and its pictures, of a small sweep and of what is no good for one."""

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_sweep import planned, written

from baco_local.errors import UsageProblem
from baco_local.lab import report, swept
from baco_local.lab.lexical import lexical
from baco_local.lab.page import page
from baco_local.lab.points import DIVERSITY, SIGNS, points_of
from baco_local.lab.quality import Memory
from baco_local.lab.semantic import semantic
from baco_local.lab.vectors import embedder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written(planned(prompts=6), tmp_path / "s.jsonl")
    return tmp_path / "s.jsonl"


def test_points_are_means_over_prompts(path: Path) -> None:
    found = swept.read(path)
    scores = {key: [0.25, 0.5, float("nan")] for key in found.ideas}
    points = points_of(found, embedder(), {"own": scores})
    assert points.diversity.shape == (8, 6, 11)
    assert (points.quality == 0.375).all()
    at = points.settings.index(("rand", 0.7))
    texts = [str(idea["text"]) for idea in found.ideas["p3", "rand", 0.7]]
    by_hand = lexical(texts) | semantic(embedder()(texts))
    assert dict(zip(DIVERSITY, points.diversity[at, 3] * SIGNS, strict=True)) == pytest.approx(by_hand)
    share = points.shares(np.ones((1, 6)))[0, at]
    ideas = [idea for prompt in found.prompts for idea in found.ideas[prompt, "rand", 0.7]]
    assert share == pytest.approx(sum(idea["base_tokens"] for idea in ideas) / sum(idea["tokens"] for idea in ideas))


def test_the_command_writes_a_page_that_needs_nothing_else(path: Path, baco: Any) -> None:
    done = baco("report", path, "--judge", "none", "--draws", 100)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert said.splitlines()[0] == "scripted: 6 prompts, 3 ideas of up to 6 tokens for each of 8 settings"
    assert "Coverage: lexical" in said
    assert "relevance: cosine" in said
    folder = path.parent / "s-report"
    files = {"report.html", "frontier.png", "shares.png", "spaces.png", "points.json", "scores.jsonl"}
    assert {one.name for one in folder.iterdir()} == files
    assert all(one.stat().st_mode & 0o077 == 0 for one in [folder, *folder.iterdir()])
    content = (folder / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', content)
    assert content.count("data:image/png;base64,") == 3
    for name in ("frontier", "shares", "spaces"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    numbers = json.loads((folder / "points.json").read_text())
    assert len(numbers["points"]) == 8
    assert set(numbers["points"][0]["diversity"]) == set(DIVERSITY)
    assert numbers["qualities"] == ["relevance"]
    again = baco("report", path, "--judge", "none", "--draws", 100, "--json", "-q")
    assert json.loads(again.stdout) == numbers
    assert again.stderr == b""
    fewer = json.loads(baco("report", path, "--judge", "none", "--methods", "p, rand", "--json").stdout)
    assert [point["method"] for point in fewer["points"]] == ["p", "p", "rand", "rand"]
    wrong = baco("report", path, "--methods", "p,q")
    assert wrong.returncode == 2
    assert b"there is no q in this sweep" in wrong.stderr


def test_a_metric_of_ones_own_is_one_more_axis(path: Path, tmp_path: Path, baco: Any) -> None:
    script = tmp_path / "reward.py"
    script.write_text("import json, sys\nfor line in sys.stdin:\n    print(len(json.loads(line)['text']))\n")
    done = baco(
        "report", path, "--judge", "none", "--draws", 100, "--json", "--quality", f"reward={sys.executable} {script}"
    )
    found = json.loads(done.stdout)
    assert found["qualities"] == ["relevance", "reward"]
    values = [point["quality"]["reward"] for point in found["points"]]
    assert max(values) > min(values) > 0
    twice = baco("report", path, "--quality", "judge=x")
    assert twice.returncode == 2
    assert b"two metrics are called the same" in twice.stderr


def test_a_real_pair_judges_and_is_judged(starter: dict[str, Path], tmp_path: Path, baco: Any) -> None:
    pair = ["--base", starter["base"], "--aligned", starter["aligned"]]
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Names for a boat\nA soup for a cold day\n")
    small = ["-k", 2, "--max-tokens", 8, "--methods", "p-punc,aligned", "--diversities", "0.5", "--temperatures", 1]
    swept = baco("sweep", prompts, "-o", tmp_path / "s.jsonl", *small, *pair)
    assert swept.returncode == 0, swept.stderr
    done = baco("report", tmp_path / "s.jsonl", *pair, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    likely = found["log_likelihoods"]
    assert -8 < likely["log-likelihood, aligned"]["aligned"] < 0
    assert set(likely) == {"log-likelihood, base", "log-likelihood, aligned"}
    text = (tmp_path / "s-report" / "report.html").read_text()
    assert re.search(r"judge: .*SmolLM2-135M.*it prefers an idea for its own prompt in [\d.]+% of 4 pairs", text)
    other = baco("report", tmp_path / "s.jsonl", "--same", starter["aligned"])
    assert other.returncode == 2
    assert b"its models are not those that wrote the sweep" in other.stderr
    unknown = baco("report", tmp_path / "s.jsonl")
    assert unknown.returncode == 2
    assert b"is not in the catalogue; name its files (--base, --aligned" in unknown.stderr


def test_a_judge_that_can_not_judge_is_left_out(path: Path, tmp_path: Path) -> None:
    from scripted import ScriptedSide

    found, measured, memory = swept.read(path), report.Measured(), Memory(tmp_path / "m")
    guess = ScriptedSide("coin.gguf", ["yes", "no"], lambda text: {"yes": 0.5, "no": 0.5})
    report.by_judge(found, guess, "coin", memory, measured, print)
    assert measured.scores == {}
    assert re.search(r"50.0% of \d+ pairs, and below 60% it is not used", measured.notes[0])
    report.by_judge(found, ScriptedSide("dumb.gguf", ["x"], lambda text: {"x": 1}), "dumb", memory, measured, print)
    assert "judge: not used. dumb.gguf: its vocabulary has no words" in measured.notes[1]
    with pytest.raises(UsageProblem, match="no quality is left"):
        report.report(found, embedder(), measured, 5, print)


def test_other_peoples_files_are_left_alone(path: Path, tmp_path: Path, baco: Any) -> None:
    for name, content in (("report.html", "my page"), ("scores.jsonl", "3 : 1\n"), ("points.json", '{"mine": 1}')):
        mine = tmp_path / name.split(".")[0]
        mine.mkdir()
        (mine / name).write_text(content)
        done = baco("report", path, "--judge", "none", "-o", mine)
        assert done.returncode == 2
        assert b"is there already, and of no report" in done.stderr
        assert [(one.name, one.read_text()) for one in mine.iterdir()] == [(name, content)]


def test_names_are_text_everywhere(path: Path, baco: Any) -> None:
    bad = "$\\foo$\x1b[31m"
    path.write_text(path.read_text().replace('"p"', json.dumps(bad)).replace('"scripted"', json.dumps(bad)))
    done = baco("report", path, "--judge", "none")
    assert done.returncode == 0, done.stderr
    page = (path.parent / "s-report" / "report.html").read_bytes()
    assert b"\x1b" not in done.stdout + done.stderr + page
    assert b"$\\foo$" in done.stdout


def test_a_metric_without_numbers_is_told(path: Path, tmp_path: Path, baco: Any) -> None:
    script = tmp_path / "nan.py"
    script.write_text("import sys\nfor line in sys.stdin:\n    print('nan')\n")
    done = baco("report", path, "--judge", "none", "--quality", f"none={sys.executable} {script}")
    assert done.returncode == 2
    assert b"none: gave no number for any idea" in done.stderr


def test_a_judge_is_checked_anew_for_other_ideas_and_not_with_one_prompt(path: Path, tmp_path: Path) -> None:
    from scripted import ScriptedSide

    asked: list[str] = []

    def guess(text: str) -> dict[str, float]:
        asked.append(text)
        return {"yes": 0.5, "no": 0.5}

    other = tmp_path / "other.jsonl"
    written(planned(prompts=6, seed=9), other)
    for sweep_file, again in ((path, True), (path, False), (other, True)):
        asked.clear()
        side = ScriptedSide("coin.gguf", ["yes", "no"], guess)
        report.by_judge(swept.read(sweep_file), side, "coin", Memory(tmp_path / "m"), report.Measured(), print)
        assert bool(asked) == again
    written(planned(prompts=1), tmp_path / "one")
    measured = report.Measured()
    report.by_judge(swept.read(tmp_path / "one"), side, "coin", Memory(tmp_path / "m"), measured, print)
    assert "With one prompt it can't be told" in measured.notes[0]


def test_half_a_sweep_says_so_and_few_prompts_have_no_interval(path: Path, baco: Any) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: 1 + 2 * 24 + 5]))
    done = baco("report", path, "--judge", "none")
    said = done.stdout.decode()
    assert "The sweep isn't finished: 2 of 6 prompts are here." in said
    assert re.search(r"^p +0\.\d{3} +0\.\d{3} +0\.\d{3} +-  ", said, re.MULTILINE)
    assert json.loads((path.parent / "s-report" / "points.json").read_text())["draws"] == 0
    path.write_bytes(lines[0])
    nothing: subprocess.CompletedProcess[bytes] = baco("report", path)
    assert nothing.returncode == 2
    assert b"no prompt has all its ideas yet" in nothing.stderr


def test_ideas_are_text_in_the_page() -> None:
    bad = "<script>alert(1)</script> & [bold]"
    content = page(
        bad, [bad], [[bad], [bad]], [bad], {bad: (b"x", bad)}, [{"prompt": bad, "columns": [(bad, [bad])]}], [bad]
    )
    found: list[str] = []

    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            found.append(tag)

    Tags().feed(content)
    assert "script" not in found
    assert content.count("&lt;script&gt;") == 13
