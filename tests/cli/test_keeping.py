"""The library's commands, as a writer and a script use them, on a small pair through llama.cpp."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from oracle import write_model

from baco_local.collaboration.settings import Steering


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"BACO_LOCAL_HOME": str(tmp_path / "home")}


@pytest.fixture
def kept(baco: Any, home: dict[str, str], tiny: list[Any]) -> list[dict[str, Any]]:
    """Three ideas of one prompt, as JSON lines."""
    done = baco(
        "ideas", "A line", "-n", 3, "--max-tokens", 12, "--seed", 5, "--router", "rand", "--jsonl", *tiny, env=home
    )
    assert done.returncode == 0
    assert b"kept: baco-local show " in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(baco: Any, home: dict[str, str], *arguments: Any) -> list[dict[str, Any]]:
    done = baco("show", *arguments, "--json", env=home)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_ideas_print_is_what_the_library_has(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    for idea in kept:
        [node] = shown(baco, home, idea["id"])
        for key in ("id", "text", "seed", "router", "threshold", "tokens", "base_share", "stop", "seconds"):
            assert node[key] == idea[key], key
    [first] = shown(baco, home, kept[0]["id"])
    prompt, *ideas = shown(baco, home, first["parent"])
    assert (prompt["kind"], prompt["text"]) == ("prompt", "A line")
    assert {idea["id"] for idea in ideas} == {idea["id"] for idea in kept}
    text = baco("show", kept[0]["id"], env=home)
    assert text.stdout.decode() == kept[0]["text"] + "\n"
    assert f"{kept[0]['tokens']} tokens".encode() in text.stderr


def test_a_trace_is_kept(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    [node] = shown(baco, home, kept[0]["id"], "--trace")
    assert "".join(token["piece"] for token in node["trace"]) == kept[0]["text"]
    assert {token["speaker"] for token in node["trace"]} <= {"base", "aligned"}
    lines = baco("show", kept[0]["id"], "--trace", env=home).stdout.decode().splitlines()
    assert len(lines) == kept[0]["tokens"]


def test_marks_history_search_and_export(
    baco: Any, home: dict[str, str], kept: list[dict[str, Any]], tmp_path: Path
) -> None:
    chosen = kept[1]["id"]
    assert baco("star", chosen[:5], env=home).returncode == 0
    assert baco("tag", chosen, "#Sea", env=home).returncode == 0
    assert baco("note", chosen, "the", "good", "one", env=home).returncode == 0
    line = baco("history", env=home).stdout.decode()
    assert "3 ideas, 1 starred  A line" in line
    assert f"  {chosen}  \u2605 " in baco("history", "--starred", env=home).stdout.decode()
    assert chosen in baco("history", "--tag", "sea", env=home).stdout.decode()
    assert baco("history", "--since", "2999-01-01", env=home).stdout == b""
    found = baco("search", "line", env=home)
    assert (found.returncode, b"A line" in found.stdout) == (0, True)
    assert baco("search", "nowhere", env=home).returncode == 1
    for form, says in (
        ("md", f"\u2605 {kept[1]['text'].strip()[:4]}"),
        ("txt", "A line"),
        ("jsonl", '"baco-local": 1'),
    ):
        done = baco("export", "--starred", "--format", form, "-o", tmp_path / f"out.{form}", env=home)
        assert (done.returncode, done.stdout) == (0, b"")
        text = (tmp_path / f"out.{form}").read_text()
        assert says in text
        assert kept[0]["text"].strip() not in text
        assert baco("export", "--starred", "--format", form, env=home).stdout.decode() == text
    assert not list(tmp_path.glob(".*part"))
    other = {"BACO_LOCAL_HOME": str(tmp_path / "other")}
    assert b"2 taken in, 0 were there already" in baco("import", tmp_path / "out.jsonl", env=other).stderr
    assert shown(baco, other, chosen) == shown(baco, home, chosen)
    assert baco("unstar", chosen, env=home).returncode == 0
    assert b"had no star" in baco("unstar", chosen, env=home).stderr
    assert baco("tag", chosen, "sea", "--off", env=home).returncode == 0


def test_more_takes_over_how_it_was_made(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    done = baco("more", kept[0]["id"], "-n", 2, "--jsonl", env=home)
    assert done.returncode == 0, done.stderr
    new = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(idea["router"], idea["threshold"], idea["pair"]) for idea in new] == 2 * [
        ("rand", kept[0]["threshold"], kept[0]["pair"])
    ]
    assert all(idea["tokens"] <= 12 for idea in new)
    [parent] = {node["parent"] for idea in [*new, kept[0]] for node in shown(baco, home, idea["id"])}
    assert len(shown(baco, home, parent)) == 6
    other = json.loads(baco("more", parent, "-n", 1, "--router", "p", "--jsonl", env=home).stdout)
    assert (other["router"], other["threshold"]) == ("p", Steering("p").threshold)


def test_the_same_seed_again_gives_the_same(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    done = baco("more", kept[0]["id"], "-n", 3, "--seed", 5, "--jsonl", env=home)
    again = {json.loads(line)["text"] for line in done.stdout.splitlines()}
    assert again == {idea["text"] for idea in kept}


def test_branch_keeps_exactly_what_is_said(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    idea = max(kept, key=lambda one: one["tokens"])
    [node] = shown(baco, home, idea["id"], "--trace")
    pieces = [token["piece"] for token in node["trace"]]
    beginning = "".join(pieces[:3])
    for at in ("3", beginning):
        done = baco("branch", idea["id"], "--at", at, "-n", 2, "--jsonl", "--trace", env=home)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.splitlines():
            branch = json.loads(line)
            assert branch["text"].startswith(beginning)
            assert [token["id"] for token in branch["trace"][:3]] == [token["id"] for token in node["trace"][:3]]
            [below] = shown(baco, home, branch["id"])
            assert (below["parent"], below["kind"], below["text"]) == (idea["id"], "branch", branch["text"])
            assert below["kept"] == len(beginning)
    tree = baco("show", shown(baco, home, idea["id"])[0]["parent"], env=home).stdout.decode().splitlines()
    [place] = [number for number, line in enumerate(tree) if line.strip().startswith(idea["id"])]
    assert [line.startswith("    ") for line in tree[place + 1 : place + 5]] == [
        True
    ] * 4  # right below what they are of
    for at, says in (("0", "give 1 to"), ("99", "give 1 to"), ("not there", "does not say that")):
        wrong = baco("branch", idea["id"], "--at", at, env=home)
        assert (wrong.returncode, says in wrong.stderr.decode()) == (2, True)
    [prompt] = {one["parent"] for one in shown(baco, home, idea["id"])}
    assert b"nothing can go on from it exactly" in baco("branch", prompt, env=home).stderr


def test_rm(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    gone = kept[0]["id"]
    done = baco("rm", gone, env=home)
    assert f"undo: baco-local rm --undo {gone}" in done.stderr.decode()
    assert "2 ideas" in baco("history", env=home).stdout.decode()
    assert baco("rm", "--undo", gone, env=home).returncode == 0
    assert "3 ideas" in baco("history", env=home).stdout.decode()
    assert baco("rm", "--purge", gone, env=home).returncode == 0
    assert baco("show", gone, env=home).returncode == 2


def test_backup(baco: Any, home: dict[str, str], kept: list[dict[str, Any]], tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert baco("backup", copy, env=home).returncode == 0
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM nodes").fetchone() == (4,)
    taken = baco("backup", copy, env=home)
    assert (taken.returncode, b"is there already" in taken.stderr) == (1, True)


def test_people_who_want_no_history(baco: Any, home: dict[str, str], tiny: list[Any]) -> None:
    path = Path(home["BACO_LOCAL_HOME"])
    command = ["ideas", "x", "-n", 1, "--max-tokens", 3, *tiny]
    done = baco(*command, "--no-log", env=home)
    assert (done.returncode, b"kept" in done.stderr) == (0, False)
    assert not (path / "data" / "library.db").exists()
    (path / "config").mkdir()
    (path / "config" / "config.toml").write_text("history = false\n")
    assert baco(*command, env=home).returncode == 0
    assert not (path / "data" / "library.db").exists()
    (path / "config" / "config.toml").write_text("history = 1\n")
    assert baco(*command, env=home).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["history"], 0, "nothing is kept yet"),
        (["show", "abcdefg"], 1, "there is no library yet"),
        (["star", "abcdefg"], 2, "nothing in the library has the id abcdefg"),
        (["star", "l0l"], 2, "is no id"),
        (["search", "*"], 1, "there is no library yet"),
        (["history", "--since", "yesterday"], 0, "nothing is kept yet"),
        (["import", "nowhere.jsonl"], 2, "can't be read"),
        (["import", "."], 2, "can't be read"),
        (["export", "-o", "."], 2, "is a folder"),
        (["more", "abcdefg"], 1, "there is no library yet"),
    ],
)
def test_mistakes_are_lines(baco: Any, home: dict[str, str], arguments: list[str], code: int, says: str) -> None:
    done = baco(*arguments, env=home)
    assert done.returncode == code
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_matches_are_lit_on_a_terminal_only(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    leader, follower = pty.openpty()
    environment = {key: value for key, value in (os.environ | home).items() if key != "NO_COLOR"}
    subprocess.run(
        [sys.executable, "-P", "-m", "baco_local", "search", "line"], stdout=follower, env=environment, check=True
    )
    os.close(follower)
    assert b"A \x1b[4;36mline\x1b[0m" in os.read(leader, 10_000)
    os.close(leader)
    assert b"\x1b" not in baco("search", "line", env=home).stdout


def test_an_idea_cut_inside_a_token_goes_on_from_before_it(
    baco: Any, home: dict[str, str], starter: dict[str, Path]
) -> None:
    """The models would read the whole token."""
    files = ["--base", starter["base"], "--aligned", starter["aligned"]]
    line = baco(
        "ideas", "An opening line for a ghost story", "-n", 1, "--max-tokens", 28, "--seed", 3, "--stop", "e", "--jsonl",
        "--trace", *files, env=home,
    ).stdout  # fmt: skip
    idea = json.loads(line)
    assert idea["stop"] == "stop-string"
    done = baco("branch", idea["id"], "-n", 2, "--max-tokens", 8, "--stop", "zzzz", "--jsonl", "--trace", env=home)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        branch = json.loads(line)
        assert "".join(token["piece"] for token in branch["trace"]) == branch["text"]
        [node] = shown(baco, home, branch["id"])
        assert node["text"] == branch["text"]


def test_pipes_and_devices_are_written_to_as_they_are(
    baco: Any, home: dict[str, str], kept: list[dict[str, Any]], tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        assert baco("export", "--format", "txt", "-o", fifo, env=home).returncode == 0
        assert b"A line" in reader.communicate(timeout=30)[0]
    assert b"A line" in baco("export", "--format", "txt", "-o", "/dev/stdout", env=home).stdout
    target = tmp_path / "out.txt"
    baco("export", "-o", target, env=home)
    assert target.stat().st_mode & 0o777 == 0o600


def test_show_names_what_came_of_an_idea(baco: Any, home: dict[str, str], kept: list[dict[str, Any]]) -> None:
    done = baco("branch", kept[0]["id"], "--at", "1", "-n", 1, "--jsonl", env=home)
    branch = json.loads(done.stdout)["id"]
    [parent] = {node["parent"] for node in shown(baco, home, kept[0]["id"])}
    assert f"kept: baco-local show {parent}" in done.stderr.decode()
    assert f"branch: {branch}" in baco("show", kept[0]["id"], env=home).stderr.decode()


def test_another_model_in_the_place_of_the_one_that_wrote_is_told(
    baco: Any, home: dict[str, str], kept: list[dict[str, Any]], tiny: list[Any]
) -> None:
    done = baco("more", kept[0]["id"], "-n", 1, env=home)
    assert b"another file" not in done.stderr
    write_model(tiny[1], [" ", *sorted(set("seauntid")), " sea", " moon", "m"], {})
    done = baco("more", kept[0]["id"], "-n", 1, env=home)
    assert done.returncode == 0
    assert f"note: {tiny[1]} is another file than the one that wrote this" in done.stderr.decode()
