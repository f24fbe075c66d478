"""What may never happen, whatever files say: writing outside one's own folders, files that others may read, files that act."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hub import NAME, REPO, serving
from oracle import write_model
from test_offline import commands

from baco_local.cli.main import cli
from baco_local.library import Library

# Notes every file that Python opens for writing, in every process that finds it.
SPY = """
import os, sys

def heard(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, _, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            with open(os.open(os.environ["SPY_LOG"], os.O_APPEND | os.O_WRONLY), "a") as log:
                log.write(os.path.realpath(path) + "\\n")

busy = False

def once(event, arguments):
    global busy
    if not busy:
        busy = True
        try:
            heard(event, arguments)
        finally:
            busy = False

sys.addaudithook(once)
"""
OWN = [".cache/baco-local", ".config/baco-local", ".local/share/baco-local", ".local/state/baco-local"]
RUDE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_nothing_is_written_elsewhere_and_all_is_private(starter: dict[str, Path], tmp_path: Path, baco: Any) -> None:
    """One of every command, in a home and a working folder of their own."""
    home, cwd, spy, given, scratch = (tmp_path / name for name in ("user", "cwd", "spy", "given", "scratch"))
    for folder in (home, cwd, spy, given, scratch):
        folder.mkdir()
    (spy / "sitecustomize.py").write_text(SPY)
    log = tmp_path / "log"
    log.touch()
    examples = {**commands(starter, given), "pull": ["toy"]}
    assert set(examples) == set(cli.commands) - {"tui"}
    idea = ""
    with serving() as hub:
        hub.put(write_model(tmp_path / "toy.gguf", [" a", " b"], {}).read_bytes())
        environment = {
            "HOME": str(home),
            "PYTHONPATH": str(spy),
            "SPY_LOG": str(log),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(scratch),
            "HF_ENDPOINT": hub.url,
        }
        gone = {name: "" for name in os.environ if name.startswith("XDG_") or name == "BACO_LOCAL_HOME"}
        for name, arguments in examples.items():
            if name == "pull":
                (home / OWN[1] / "models.toml").write_text(
                    f"[pairs.toy]\ntitle = 'A toy'\nlicence = 'MIT'\n[pairs.toy.base]\nsource = 'hf:{REPO}/{NAME}'\n"
                    "[pairs.toy.aligned]\nsame = true\n"
                )
            words = [idea if one == "ID" else one for one in arguments]
            done = baco(name, *words, env=gone | environment, cwd=cwd)
            assert done.returncode == 0, (name, done.stderr)
            if not idea:
                with Library(home / OWN[2] / "library.db") as library:
                    idea = library.ideas(library.history()[0].node.id)[0].id
    assert not list(cwd.iterdir())
    assert not list(scratch.iterdir())
    made = list(home.rglob("*"))
    assert len([path for path in made if path.is_file()]) > 10
    for path in made:
        assert any(path.is_relative_to(home / own) or (home / own).is_relative_to(path) for own in OWN), path
        by_us = path.parent.name != "matplotlib"  # its list of fonts
        assert not by_us or path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    opened = set(map(Path, log.read_text().splitlines()))
    assert opened & set(made)
    allowed = [*(home / own for own in OWN), given, scratch, Path("/dev"), Path("/proc")]
    assert not [path for path in opened if not any(path.is_relative_to(one) for one in allowed)]


def controls(output: bytes) -> set[str]:
    """Characters in it that a terminal may act on."""
    return {
        char
        for char in output.decode()
        if char in "\x7f\u202e" or (char < " " and char != "\n") or "\x80" <= char < "\xa0"
    }


def test_a_model_full_of_escape_codes_and_paths_only_writes_text(tmp_path: Path, baco: Any) -> None:
    """In its vocabulary, its names and its file's name; through every command that shows something of it."""
    home = tmp_path / "of" / "the" / "user"
    env = {"BACO_LOCAL_HOME": str(home)}
    pieces = [f"{RUDE}a", f" {RUDE}", "\x1b[31mb\x9b", "\u202ec", " d"]
    names = dict.fromkeys(
        ("name", "basename", "author", "organization", "license", "description", "finetune"), f"../../../{RUDE}/evil"
    )
    path = write_model(tmp_path / "rude model;$(touch owned).gguf", pieces, {}, names=names)
    files = ["--base", path, "--aligned", path]
    shown = []
    for form in ([], ["--jsonl", "--trace"], ["--json"]):
        shown.append(baco("ideas", f"x{RUDE}", "-n", 3, "--max-tokens", 8, "--seed", 1, *form, *files, env=env))
    shown.append(baco("models", "add", "rude", *files, env=env))
    shown += [
        baco(*words, env=env) for words in (["models"], ["models", "show", "rude"], ["models", "--json"], ["doctor"])
    ]
    shown += [baco(*words, env=env) for words in (["history"], ["search", "d"], ["search", "d", "--json"])]
    with Library(home / "data" / "library.db") as library:
        ideas = [idea.id for idea in library.ideas(library.history()[0].node.id)]
    shown += [baco("show", ideas[0], *form, env=env) for form in ([], ["--trace"], ["--json"])]
    shown += [baco("export", "--format", form, env=env) for form in ("md", "txt", "jsonl")]
    for done in shown:
        assert done.returncode == 0, (done.args, done.stderr)
        assert done.stdout or "add" in done.args
        assert not controls(done.stdout), done.args
        assert not controls(done.stderr), done.args
    elsewhere = {file for file in tmp_path.rglob("*") if home not in (file, *file.parents) and file not in home.parents}
    assert elsewhere == {path}


@pytest.mark.parametrize(
    "table",
    [
        "[pairs.'../../evil']\ntitle = 'x'",
        "[pairs.evil]\ntitle = 'x'\nlicence = 'MIT'\nbase = { source = 'hf:../../x/m.gguf' }\naligned = { same = true }",
        "[pairs.evil]\ntitle = 'x'\nlicence = 'MIT'\nbase = { source = 'hf:o/r/m.gguf', file = '../../m.gguf' }\naligned = { same = true }",
        "[pairs.evil]\ntitle = 'x'\nlicence = 'MIT'\nbase = { source = 'hf:o/r/m.gguf', file = '/etc/m.gguf' }\naligned = { same = true }",
        "[pairs.evil]\ntitle = 'x'\nlicence = 'MIT'\nbase = { source = 'pypi:--index-url==1' }\naligned = { same = true }",
        "[pairs.evil]\ntitle = 'x'\nlicence = 'MIT'\nbase = { source = 'pypi:x==1 --extra-index-url=x' }\naligned = { same = true }",
        "[pairs.evil]\ntitle = 'x'\nlicence = 'MIT'\nbase = { source = 'hf:o/r/m.gguf', size = 99999999999999999999 }\naligned = { same = true }",
        "a = " + "[" * 5000,
        f"{'a.' * 60_000}a = 1",
        "\x00",
    ],
)
def test_a_catalogue_can_not_name_places_or_options(tmp_path: Path, baco: Any, table: str) -> None:
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / "models.toml").write_text(table)
    for words in (["models"], ["pull", "evil"], ["ideas", "x"]):
        done = baco(*words, env={"BACO_LOCAL_HOME": str(tmp_path / "home")})
        assert done.returncode in (2, 3), done.stderr
        assert done.stderr.startswith(b"baco-local: ")
        assert len(done.stderr.splitlines()) <= 2
        assert b"Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.name not in ("home", "config", "models.toml")]


def test_a_catalogue_full_of_escape_codes_is_only_text(tmp_path: Path, baco: Any) -> None:
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    rude = json.dumps(RUDE)  # its escapes are TOML's as well
    (config / "models.toml").write_text(
        f"[pairs.rude]\ntitle = {rude}\nlicence = {rude}\nfor = {rude}\n"
        "base = { source = 'file:m.gguf' }\naligned = { same = true }\n"
    )
    for words in (["models"], ["models", "show", "rude"], ["models", "--json"], ["doctor"]):
        done = baco(*words, env={"BACO_LOCAL_HOME": str(tmp_path / "home")})
        assert b"rude" in done.stdout + done.stderr
        assert not controls(done.stdout + done.stderr), words


@pytest.mark.parametrize(
    "words", [["ideas", "x", "-n", 1, "--max-tokens", 4], ["export"], ["export", "--format", "jsonl"]]
)
def test_o_does_not_write_over_a_library_or_a_model(
    tmp_path: Path, baco: Any, tiny: list[Any], words: list[Any]
) -> None:
    env = {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    files = tiny if words[0] == "ideas" else []
    assert baco("ideas", "x", "-n", 1, "--max-tokens", 4, *tiny, env=env).returncode == 0
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "home" / "data" / "library.db")
    for path, says in (
        (tmp_path / "home" / "data" / "library.db", b"own file"),
        (link, b"own file"),
        (tiny[1], b"is a model file"),
    ):
        before = path.read_bytes()
        done = baco(*words, "-o", path, *files, env=env)
        assert done.returncode == 2
        assert says in done.stderr
        assert path.read_bytes()[:4096] == before[:4096]
    assert b"x" in baco("history", env=env).stdout


def test_other_encodings_lose_letters_and_nothing_else(tmp_path: Path, baco: Any, tiny: list[Any]) -> None:
    env = {"BACO_LOCAL_HOME": str(tmp_path / "home"), "PYTHONIOENCODING": "latin-1"}
    assert baco("ideas", "Namen für 日本", "-n", 1, "--max-tokens", 4, "-q", *tiny, env=env).returncode == 0
    done = baco("history", env=env)
    assert done.returncode == 0
    assert "Namen für ??".encode("latin-1") in done.stdout


@pytest.mark.parametrize(
    "name", ["config/config.toml", "config/models.toml", "cache/verdicts.json", "cache/checksums.json"]
)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path, baco: Any, tiny: list[Any], name: str) -> None:
    path = tmp_path / "home" / name
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    env = {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    done = baco("ideas", "x", "-n", 1, "--max-tokens", 4, *tiny, env=env, timeout=60)
    assert done.returncode == (2 if name.endswith("config.toml") else 0)
    assert baco("models", env=env, timeout=60).returncode == (2 if name.endswith("models.toml") else 0)
    assert baco("backup", "--restore", path, env=env, timeout=60).returncode == 1


def begun(folder: Path) -> Path:
    """The part of -o's file, once something is in it."""
    until = time.monotonic() + 60
    while not (parts := [path for path in folder.glob(".out*") if path.stat().st_size]):
        assert time.monotonic() < until
        time.sleep(0.05)
    return parts[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_it_as_ctrl_c_does(tmp_path: Path, tiny: list[Any], number: int) -> None:
    environment = os.environ | {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    command = [
        sys.executable,
        "-P",
        "-m",
        "baco_local",
        "ideas",
        "x",
        "-n",
        "400",
        "--max-tokens",
        "400",
        "--jsonl",
        *map(str, tiny),
    ]
    with subprocess.Popen([*command, "-o", tmp_path / "out"], env=environment, stderr=subprocess.PIPE) as child:
        part = begun(tmp_path)
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"interrupted" in said
    assert not part.exists()
    texts = [json.loads(line)["text"] for line in (tmp_path / "out").read_text().splitlines()]
    with Library(tmp_path / "home" / "data" / "library.db") as library:
        kept = {idea.text for idea in library.ideas(library.history()[0].node.id)}
    assert texts
    assert set(texts) <= kept


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_that_is_closed_takes_no_ideas_with_it(tmp_path: Path, tiny: list[Any]) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-P",
        "-m",
        "baco_local",
        "ideas",
        "x",
        "-n",
        "400",
        "--max-tokens",
        "400",
        "--jsonl",
        *map(str, tiny),
    ]
    environment = os.environ | {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    child = subprocess.Popen(
        [*command, "-o", tmp_path / "out"],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    begun(tmp_path)
    os.close(ours)
    child.send_signal(signal.SIGHUP)
    assert child.wait(60) == 130
    assert (tmp_path / "out").read_text()
    assert not list(tmp_path.glob(".out*"))
