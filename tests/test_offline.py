"""Offline is a promise: without any network everything but `pull` works, and nothing else ever tries a connection."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from baco_local.cli.main import cli
from baco_local.library import Library

# Notes what is asked of sockets, in every Python process that finds it, and refuses it.
SPY = """
import os, sys

def heard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
        with open(os.environ["SPY_LOG"], "a") as log:
            log.write(f"{event} {arguments!r}\\n")
        raise OSError("the network is blocked")

sys.addaudithook(heard)
"""


def commands(starter: dict[str, Path], tmp_path: Path) -> dict[str, list[Any]]:
    """One of every command, on the real pair where it takes one; ID stands for an idea that the first one wrote."""
    files = ["--base", starter["base"], "--aligned", starter["aligned"]]
    (tmp_path / "ideas.txt").write_text("the sea at night\na wolf at noon\n")
    few = ["-n", 1, "--max-tokens", 4]
    return {
        "ideas": ["Names for a boat", "-n", 2, "--max-tokens", 8, *files],
        "more": ["ID", *few],
        "branch": ["ID", *few],
        "history": [],
        "show": ["ID", "--trace"],
        "search": ["boat"],
        "star": ["ID"],
        "unstar": ["ID"],
        "tag": ["ID", "sea"],
        "note": ["ID", "a note"],
        "export": ["--format", "jsonl", "-o", tmp_path / "ideas.jsonl"],
        "import": [tmp_path / "ideas.jsonl"],
        "backup": [tmp_path / "backup.db"],
        "rm": ["ID"],
        "bench": ["--variants", 1, "--rounds", 1, "--max-tokens", 48, *files],
        "models": ["add", "mine", *files],
        "doctor": [],
        "manual": [],
        "score": [tmp_path / "ideas.txt"],
        "sweep": ["--limit", 2, "-k", 2, "--max-tokens", 4, "--methods", "p", "-o", tmp_path / "sweep.jsonl", *files],
        "report": [tmp_path / "sweep.jsonl", *files],
        "calibrate": [tmp_path / "sweep.jsonl", "--no-store"],
        "rate": [tmp_path / "sweep.jsonl", "p=0.1", "p=0.85"],
    }


def spied(tmp_path: Path) -> tuple[dict[str, str], Path]:
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy" / "sitecustomize.py").write_text(SPY)
    log = tmp_path / "log"
    home = {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    return {"PYTHONPATH": str(tmp_path / "spy"), "SPY_LOG": str(log), **home}, log


def isolated() -> list[str]:
    """What runs a command in a network of its own that has no interface up; [] where that is not allowed."""
    wrapped = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*wrapped, "true"], capture_output=True).returncode:
        return []
    return wrapped


def test_every_command_but_pull_works_without_a_network(starter: dict[str, Path], tmp_path: Path) -> None:
    examples = commands(starter, tmp_path)
    assert set(examples) == set(cli.commands) - {"pull", "tui"}
    environment, log = spied(tmp_path)
    idea = ""
    for name, arguments in examples.items():
        given = [idea if one == "ID" else str(one) for one in arguments]
        command = [*isolated(), sys.executable, "-P", "-m", "baco_local", name, *given]
        done = subprocess.run(command, capture_output=True, timeout=300, env=os.environ | environment)
        assert done.returncode == 0, (name, done.stderr)
        assert not log.exists(), (name, log.read_text())
        if not idea:
            with Library(tmp_path / "home" / "data" / "library.db") as library:
                idea = library.ideas(library.history()[0].node.id)[0].id


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_the_desk_works_without_a_network(starter: dict[str, Path], tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parent / "tui"))
    from ptys import Terminal

    environment, log = spied(tmp_path)
    files = ["--base", str(starter["base"]), "--aligned", str(starter["aligned"])]
    terminal = Terminal(["-P", "-m", "baco_local", "tui", *files], environment, wrapped=isolated())
    try:
        terminal.until("Type what the ideas")
        terminal.press("Names for a boat")
        terminal.until("Names for a boat")
        terminal.press("\x07")
        terminal.until("16 of 16 done", 120)
        terminal.press("s\x11")
        assert terminal.ended() == 0
        assert not log.exists(), log.read_text()
    finally:
        terminal.close()


def test_the_spy_hears(tmp_path: Path, baco: Any) -> None:
    environment, log = spied(tmp_path)
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / "models.toml").write_text(
        '[pairs.far]\ntitle = "Far"\nlicence = "MIT"\nbase = { source = "hf:o/r/m.gguf" }\naligned = { same = true }\n'
    )
    done = baco("pull", "far", env={**environment, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert done.returncode == 3
    assert log.exists()


@pytest.mark.parametrize("arguments", [["models"], ["models", "show", "starter"], ["ideas", "x"]])
def test_what_is_missing_is_told_and_not_fetched(tmp_path: Path, baco: Any, arguments: list[str]) -> None:
    environment, log = spied(tmp_path)
    done = baco(*arguments, env=environment)
    assert done.returncode == (3 if arguments[0] == "ideas" else 0)
    assert b"baco-local pull" in done.stdout + done.stderr
    assert not log.exists()
