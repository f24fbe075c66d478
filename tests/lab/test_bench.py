"""The measurement: its arithmetic on given figures, its commands on the real and on tiny pairs."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from baco_local import preferences
from baco_local.cli.bench import table
from baco_local.collaboration.settings import Request
from baco_local.errors import UsageProblem
from baco_local.lab.bench import RIVALS, Bench, Run
from baco_local.lab.figures import best_threads, record


def run(variants: int, rate: float, **changes: float) -> Run:
    figures: dict[str, Any] = {
        "variants": variants, "tokens": 1000, "base_tokens": 400, "seconds": 1000 / rate, "first": 0.1, "decode": 0.96 * 1000 / rate,
        "kernel": 0.01, "rows": 500, "bound": 0.8 * 1000 / rate,
    }  # fmt: skip
    return Run(**(figures | changes))


def measured(starter_pair: Any, runs: list[dict[int, Run]], rates: list[dict[str, float]]) -> Bench:
    sizes = tuple(sorted({size for turn in runs for size in turn}))
    bench = Bench(starter_pair, Request("x", max_tokens=64), sizes, len(runs), runs, rates)
    bench.peaks = {size: 10**9 + size * 10**7 for size in sizes}
    bench.rows = (0.06, 0.02)
    return bench


def test_figures_are_medians_of_ratios_within_a_round(starter_pair: Any) -> None:
    rivals = [dict.fromkeys(RIVALS, 20.0), dict.fromkeys(RIVALS, 10.0), dict.fromkeys(RIVALS, 20.0)]
    bench = measured(starter_pair, [{8: run(8, 50), 16: run(16, rate)} for rate in (100, 40, 120)], rivals)
    found = record(bench)
    assert [row["variants"] for row in found["engine"]] == [8, 16]
    assert found["engine"][1]["tokens_per_second"] == 100
    assert found["engine"][1]["ratios"]["lock-step"] == 5  # of 5, 4 and 6
    assert found["engine"][1]["efficiency"] == 0.8
    assert found["engine"][1]["outside_decode"] == 0.04
    assert found["engine"][1]["base_share"] == 0.4
    assert found["rivals"]["aligned alone"] == 20
    assert found["memory"]["peak"] == 10**9 + 16 * 10**7
    assert found["memory"]["over_files"] == found["memory"]["peak"] - found["memory"]["files"]
    assert found["memory"]["per_variant"] == 10**7
    assert "Ask for 16 ideas at once" in found["advice"]
    assert "5.00 (5.00)" in table(found)
    json.dumps(found, allow_nan=False)


def test_fewer_ideas_that_write_nearly_as_fast_are_the_advice(starter_pair: Any) -> None:
    bench = measured(starter_pair, [{4: run(4, 60), 8: run(8, 95), 32: run(32, 100)}], [{}])
    found = record(bench)
    assert "Ask for 8 ideas" in found["advice"]
    assert found["engine"][0]["ratios"]["lock-step"] is None  # not measured, so not shown
    assert "lock-step:" not in table(found)


def test_nothing_measured_yet_is_no_fault(starter_pair: Any) -> None:
    bench = Bench(starter_pair, Request("x"), (16,), 1)
    assert table(record(bench)) == "nothing was measured"


def test_the_fewest_threads_that_are_as_fast_are_the_best() -> None:
    runs = {1: [run(16, 60)], 2: [run(16, 97), run(16, 99)], 4: [run(16, 100)], 8: [run(16, 3)]}
    assert best_threads(runs) == 2


def bench_of(starter: dict[str, Path]) -> list[Any]:
    files = ["--base", starter["base"], "--aligned", starter["aligned"]]
    return [sys.executable, "-P", "-m", "baco_local", "bench", *files]


@pytest.fixture(scope="module")
def found(starter: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    command = bench_of(starter)
    options = ["--variants", "2,8", "--rounds", "1", "--max-tokens", "48", "--json"]
    done = subprocess.run([*command, *options], capture_output=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(record=json.loads(done.stdout), said=done.stderr.decode())


def test_the_real_pair_is_measured(found: Any) -> None:
    record = found.record
    assert [row["variants"] for row in record["engine"]] == [2, 8]
    for row in record["engine"]:
        assert row["tokens_per_second"] > 0
        assert set(row["ratios"]) == set(record["rivals"]) == set(RIVALS)
        assert all(ratio > 0 for ratio in row["ratios"].values())
        assert 0 < row["efficiency"] < 2
        assert 0 < row["outside_decode"] < 1
        assert 0 < row["base_share"] < 1
    assert record["kernel"]["ms_per_row"] > record["kernel"]["ms_per_read"] > 0
    assert record["memory"]["over_files"] > 0
    assert record["machine"]["threads"] >= 1
    assert "measuring: lock-step, tuned" in found.said


@pytest.mark.parametrize("seconds", [0.05, 0.5])  # while the script's models are being loaded, and later
def test_an_interrupted_measurement_shows_what_is_there(starter: dict[str, Path], seconds: float) -> None:
    command = bench_of(starter)
    with subprocess.Popen(
        [*command, "--variants", "2", "--rounds", "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line == b"measuring: lock-step, tuned\n":
                break
        time.sleep(seconds)
        child.send_signal(signal.SIGINT)
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)  # a hurried person presses it twice
        out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert b"interrupted" in err
    assert b"Traceback" not in err
    assert b"      2  " in out
    assert b"lock-step: " in out


def test_wrong_options_get_a_line(baco: Any) -> None:
    for options, said in [
        (["--variants", "1,x"], "give numbers with commas"),
        (["--variants", "0"], "it takes numbers from 1 to 500"),
        (["--threads", "many"], "not a valid integer"),
        (["--store"], "--store goes with --threads auto"),
        (["--pair", "nothing"], "nothing"),
    ]:
        done = baco("bench", *options)
        assert done.returncode == 2
        assert said in done.stderr.decode()
        assert done.stdout == b""


def test_threads_are_tried_and_stored(baco: Any, tiny: list[Any], tmp_path: Path) -> None:
    home = {"BACO_LOCAL_HOME": str(tmp_path)}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text("# mine\n")
    done = baco("bench", *tiny, "--threads", "auto", "--rounds", 1, "--store", "--json", env=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert str(found["best"]) in found["tokens_per_second"]
    text = (tmp_path / "config" / "config.toml").read_text()
    assert text == f"# mine\nthreads = {found['best']}\n"
    plain = baco("bench", *tiny, "--threads", "auto", "--rounds", 1, env=home)
    assert b"to keep it: baco-local bench --threads auto --store" in plain.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = 0", "it takes a whole number"),
        ("threads = true", "it takes a whole number"),
        ("thread = 2", "did you mean threads?"),
        ("threads = ", "correct or remove it"),
    ],
)
def test_faults_in_the_preferences_get_a_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path))
    assert preferences.read().threads is None
    path = preferences.store("threads", 3)
    assert preferences.read().threads == 3
    path.write_text(text)
    with pytest.raises(UsageProblem, match=said):
        preferences.read()
    with pytest.raises(UsageProblem, match=said):
        preferences.store("threads", 4)
    assert path.read_text() == text


def test_preferred_threads_are_used(tiny: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import baco_local

    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path))
    preferences.store("threads", 1)
    with baco_local.open_pair(base=tiny[1], aligned=tiny[3]) as pair:
        assert [side.threads for side in pair.sides] == [1, 1]
    with baco_local.open_pair(base=tiny[1], aligned=tiny[3], threads=2) as pair:
        assert [side.threads for side in pair.sides] == [2, 2]
