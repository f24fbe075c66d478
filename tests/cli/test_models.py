"""`baco-local models`: looking at pairs before running them, and adding one's own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from oracle import write_model, write_random_lora

CONTENT = [" a", " b", "a", "b"]
COMMENTED = """# mine, do not touch
[pairs.old]   # from the attic
title = "Old"
licence = "MIT"
base = { source = "file:/nowhere/a.gguf" }   # lost
aligned = { same = true }
"""


@pytest.fixture
def own(tmp_path: Path) -> dict[str, str]:
    """A home of its own, with a catalogue that has comments."""
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / "models.toml").write_text(COMMENTED)
    return {"BACO_LOCAL_HOME": str(tmp_path / "home")}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    base = write_model(tmp_path / "base.gguf", CONTENT, {}, template=None)
    return {
        "base": base,
        "aligned": write_model(tmp_path / "aligned.gguf", CONTENT, {}),
        "lora": write_random_lora(tmp_path / "lora.gguf", base),
    }


def catalogue(own: dict[str, str]) -> str:
    return (Path(own["BACO_LOCAL_HOME"]) / "config" / "models.toml").read_text()


def test_a_pair_is_added_used_and_removed_and_comments_stay(
    baco: Any, own: dict[str, str], files: dict[str, Path]
) -> None:
    done = baco("models", "add", "mine", "--base", files["base"], "--aligned", files["aligned"], env=own)
    assert (done.returncode, done.stdout) == (0, b"")
    written = catalogue(own)
    assert written.startswith(COMMENTED)
    assert f"size = {files['base'].stat().st_size}" in written
    assert "shared_vocabulary = true" in written
    assert baco("ideas", "x", "-n", 1, "--max-tokens", 3, "--pair", "mine", env=own).returncode == 0
    again = baco("models", "add", "mine", "--same", files["aligned"], env=own)
    assert (again.returncode, b"already" in again.stderr) == (2, True)
    assert baco("models", "add", "mine", "--same", files["aligned"], "--replace", env=own).returncode == 0
    assert baco("ideas", "x", "-n", 1, "--max-tokens", 3, "--pair", "mine", env=own).returncode == 0
    gone = baco("models", "remove", "mine", env=own)
    assert gone.returncode == 0
    assert files["aligned"].exists()
    assert catalogue(own).rstrip() in (COMMENTED.rstrip(), COMMENTED.rstrip() + "\n\n[pairs]")
    assert baco("ideas", "x", "--pair", "mine", env=own).returncode == 2
    assert b"shipped" in baco("models", "remove", "starter", env=own).stderr


def test_the_only_pair_can_be_removed_again(baco: Any, tmp_path: Path, files: dict[str, Path]) -> None:
    own = {"BACO_LOCAL_HOME": str(tmp_path / "fresh")}
    assert baco("models", "add", "mine", "--same", files["aligned"], env=own).returncode == 0
    assert baco("models", "remove", "mine", env=own).returncode == 0
    assert baco("models", "add", "mine", "--same", files["aligned"], env=own).returncode == 0


def test_replacing_and_removing_leave_what_is_somebody_elses(
    baco: Any, own: dict[str, str], files: dict[str, Path]
) -> None:
    path = Path(own["BACO_LOCAL_HOME"]) / "config" / "models.toml"
    before = """# top
[pairs.mine]
title = "Mine"  # the title
licence = "MIT"
base = { source = "file:/a.gguf", about = 4 }
[pairs.mine.aligned]
source = "file:/b.gguf"
[pairs.mine.settings]
top_p = 0.4

# about the next one
[pairs.next]
title = "Next"
licence = "MIT"
base = { source = "file:/c.gguf" }
aligned = { same = true }
# the end
"""
    path.write_bytes(before.replace("\n", "\r\n").encode())
    given = ["--same", files["aligned"], "--replace", "--licence", "none"]
    assert baco("models", "add", "mine", *given, env=own).returncode == 0
    text = path.read_bytes().decode()
    assert text.count("\r\n") == text.count("\n")
    content = tomllib.loads(text)["pairs"]["mine"]
    assert content["settings"] == {"top_p": 0.4}
    assert content["aligned"] == {"same": True}
    assert "about" not in content["base"]
    assert "# the title" in text
    assert baco("models", "remove", "mine", env=own).returncode == 0
    after = path.read_text()
    assert after.startswith("# top\n")
    assert after.endswith(before[before.index("# about the next one") :])
    assert "mine" not in after


def test_two_at_once_are_both_kept(own: dict[str, str], files: dict[str, Path]) -> None:
    command = [sys.executable, "-P", "-m", "baco_local", "models", "add"]
    adding = [
        subprocess.Popen(
            [*command, f"p{n}", "--same", str(files["aligned"])], env=os.environ | own, stderr=subprocess.DEVNULL
        )
        for n in range(8)
    ]
    assert [child.wait(60) for child in adding] == [0] * 8
    assert {f"p{n}" for n in range(8)} < set(tomllib.loads(catalogue(own))["pairs"])


def test_the_list_says_what_is_wrong_with_a_pair_of_ones_own(
    baco: Any, own: dict[str, str], files: dict[str, Path]
) -> None:
    baco("models", "add", "mine", "--base", files["base"], "--aligned", files["aligned"], env=own)
    files["base"].write_bytes(files["base"].read_bytes()[:-1000])
    text = baco("models", env=own).stdout.decode()
    assert "mine: can't be used: " in text
    assert "old: /nowhere/a.gguf: no such file; correct it in " in text
    assert "smollm2-360m: not here yet, not tried by the authors" in text


def test_a_path_may_climb_on_the_command_line(baco: Any, own: dict[str, str], files: dict[str, Path]) -> None:
    folder = files["base"].parent / "below"
    folder.mkdir()
    done = baco("models", "add", "mine", "--same", "../aligned.gguf", env=own, cwd=folder)
    assert done.returncode == 0
    assert f'source = "file:{files["aligned"]}"' in catalogue(own)
    assert baco("models", "add", "x", "--same", "~nobody-at-all/x", env=own).returncode == 2


def test_another_file_in_its_place_is_noticed(baco: Any, own: dict[str, str], files: dict[str, Path]) -> None:
    baco("models", "add", "mine", "--base", files["base"], "--aligned", files["aligned"], env=own)
    files["base"].write_bytes(write_model(files["base"].with_name("x.gguf"), ["c", " c"], {}).read_bytes())
    done = baco("ideas", "x", "--pair", "mine", env=own)
    assert done.returncode == 3
    assert b"half a file, or another one" in done.stderr
    assert b"models add mine" in done.stderr


def test_an_adapter_pair_and_one_of_the_hub(baco: Any, own: dict[str, str], files: dict[str, Path]) -> None:
    given = ["--base", "hf:owner/repo/base.gguf@v1", "--aligned", "hf:owner/repo/it.gguf@v1", "--licence", "MIT"]
    done = baco("models", "add", "far", *given, "--title", "Far", "--for", "nobody", env=own)
    assert done.returncode == 0
    assert b"get it with: baco-local pull far" in done.stderr
    assert baco("models", "add", "over", "--base", files["aligned"], "--lora", files["lora"], env=own).returncode == 0
    found = json.loads(baco("models", "show", "over", "--json", env=own).stdout)
    assert (found["form"], found["ready"], found["vocabulary"]["kind"]) == ("lora", True, "same")
    assert set(found["models"]) == {"base", "lora"}
    far = json.loads(baco("models", "show", "far", "--json", env=own).stdout)
    assert (far["title"], far["for"], far["ready"]) == ("Far", "nobody", False)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["add", "my pair", "--same", "x.gguf"], 2, "letters, digits"),
        (["add", "mine", "--base", "x.gguf"], 2, "--base with --aligned"),
        (["add", "mine", "--same", "nowhere.gguf"], 3, "no such file"),
        (["add", "mine", "--base", "hf:owner", "--aligned", "x"], 2, "is not of the form"),
        (["show", "startr"], 2, "did you mean 'starter'"),
        (["show", "--same", "nowhere.gguf"], 3, "no such file"),
        (["show", "starter", "--same", "x.gguf"], 2, "not both"),
        (["remove", "nothing"], 2, "no pair is called 'nothing'"),
    ],
)
def test_mistakes_are_lines_and_change_nothing(
    baco: Any, own: dict[str, str], arguments: list[str], code: int, says: str
) -> None:
    done = baco("models", *arguments, env=own)
    assert done.returncode == code
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert catalogue(own) == COMMENTED


def test_show_tells_what_two_files_are(baco: Any, starter: dict[str, Path]) -> None:
    given = ["--base", starter["base"], "--aligned", starter["aligned"]]
    text = baco("models", "show", *given).stdout.decode()
    assert "gemma3, 268 M parameters, Q4_K_M, 253 MB, context 32,768, vocabulary 262,144" in text
    assert "with a chat template, licence apache-2.0" in text
    assert "vocabulary: different, 262,126 tokens differ (5: '[multimodal]' and '<file_sep>'; 17: " in text
    assert "are free here: up to " in text
    swapped = baco("models", "show", "--base", starter["aligned"], "--aligned", starter["base"]).stdout.decode()
    assert "are base and aligned swapped?" in swapped


def test_show_opens_no_model(baco: Any, tmp_path: Path) -> None:
    """One whose vocabulary ends the process that llama.cpp opens it in."""
    path = write_model(tmp_path / "broken.gguf", CONTENT, {}, bytes_too=False)
    assert "llama, " in baco("models", "show", "--same", path).stdout.decode()
    assert baco("ideas", "x", "--same", path).returncode == 3


def test_swapped_sides_are_told_while_writing(baco: Any, files: dict[str, Path]) -> None:
    given = ["--base", files["aligned"], "--aligned", files["base"], "-n", 1, "--max-tokens", 3]
    carried_on = baco("ideas", "x", "--continue", *given)
    assert carried_on.returncode == 0
    assert b"note: base.gguf has" not in carried_on.stderr
    assert b"are base and aligned swapped?" in carried_on.stderr
    refused = baco("ideas", "x", *given)
    assert refused.returncode == 2
    assert b"has no chat template" in refused.stderr


def test_a_pairs_own_settings_hold_unless_an_option_says_otherwise(
    baco: Any, own: dict[str, str], files: dict[str, Path]
) -> None:
    baco("models", "add", "mine", "--base", files["base"], "--aligned", files["aligned"], env=own)
    path = Path(own["BACO_LOCAL_HOME"]) / "config" / "models.toml"
    path.write_text(path.read_text() + '[pairs.mine.settings]\nrouter = "p"\nthreshold = 0.7\n')
    command = ["ideas", "x", "-n", 1, "--max-tokens", 3, "--pair", "mine", "--jsonl"]
    for options, router, threshold in (
        ([], "p", 0.7),
        (["--threshold", 0.2], "p", 0.2),
        (["--router", "p-fc"], "p-fc", None),
    ):
        record = json.loads(baco(*command, *options, env=own).stdout)
        assert record["router"] == router
        assert threshold is None or record["threshold"] == threshold
