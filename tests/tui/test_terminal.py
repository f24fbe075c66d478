"""The app on a real terminal: native output never reaches the screen, and the screen is left as it was, whatever ends it."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baco_local.library import Library

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

from ptys import Terminal

CTRL_G, CTRL_Q, ESC = "\x07", "\x11", "\x1b"

# The real pair, with native code that talks on both descriptors while it loads, as llama.cpp does.
NOISY = """
import ctypes, os, sys
from baco_local import pair
from baco_local.tui import start as desk

native = ctypes.CDLL(None)
open_entry = pair.open_entry

def noisy(*arguments, **options):
    native.puts(b"NATIVE NOISE ON 1")
    native.fflush(None)
    os.write(2, b"NATIVE NOISE ON 2\\n")
    found = open_entry(*arguments, **options)
    native.puts(b"MORE NATIVE NOISE")
    native.fflush(None)
    return found

desk.open_entry = noisy
from baco_local.__main__ import run
sys.exit(run())
"""
# A fault of the program itself, on a key.
FAULTY = """
import sys
from baco_local.tui.screens.workbench import Workbench

def broken(self):
    raise RuntimeError("something that cannot be")

Workbench.action_marks = broken
from baco_local.__main__ import run
sys.exit(run())
"""


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for one in opened:
        one.close()


def opened(terminals: list[Terminal], home: Path, *arguments: Any, code: str = "") -> Terminal:
    program = ["-P", "-c", code] if code else ["-P", "-m", "baco_local"]
    terminals.append(Terminal([*program, *map(str, arguments)], {"BACO_LOCAL_HOME": str(home)}))
    return terminals[-1]


def texts(home: Path) -> list[str]:
    with Library(home / "data" / "library.db") as library:
        return [node.text for node in library.ideas(library.history()[0].node.id)]


def test_native_output_never_reaches_the_screen(
    terminals: list[Terminal], tmp_path: Path, starter: dict[str, Path]
) -> None:
    files = ["--base", starter["base"], "--aligned", starter["aligned"]]
    terminal = opened(terminals, tmp_path, "tui", *files, code=NOISY)
    terminal.until("Type what the ideas")
    terminal.press("An image for rain")
    terminal.until("An image for rain")
    terminal.press(CTRL_G)
    terminal.until("16 of 16 done", 120)
    assert "NOISE" not in terminal.raw.decode("utf-8", "replace")
    assert (tmp_path / "state" / "desk.log").read_text().count("NOISE") == 3
    terminal.press(CTRL_Q)
    assert terminal.ended() == 0
    assert terminal.restored
    assert len(texts(tmp_path)) == 16


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was_and_loses_nothing(
    terminals: list[Terminal], tmp_path: Path, tiny: list[Any], number: int
) -> None:
    home = tmp_path / "home"
    terminal = opened(terminals, home, "tui", *tiny)
    terminal.until("Type what the ideas")
    terminal.press("words")
    terminal.until("words")
    terminal.press(CTRL_G)
    terminal.until("done")
    terminal.child.send_signal(number)
    assert terminal.ended() == -number
    assert terminal.restored
    assert all(texts(home))


def test_a_fault_is_one_line_and_the_terminal_is_as_it_was(
    terminals: list[Terminal], tmp_path: Path, tiny: list[Any]
) -> None:
    home = tmp_path / "home"
    terminal = opened(terminals, home, "tui", *tiny, code=FAULTY)
    terminal.until("Type what the ideas")
    terminal.press("words")
    terminal.until("words")
    terminal.press(CTRL_G)
    terminal.until("16 of 16 done")
    terminal.press("v")
    assert terminal.ended() == 1
    assert terminal.restored
    said = terminal.raw[terminal.raw.rfind(b"\x1b[?1049l") :].decode()
    assert "internal error" in said
    assert "something that cannot be" in said
    assert "Traceback" not in said
    assert "Traceback" in (home / "state" / "desk.log").read_text()
    assert len(texts(home)) == 16


def test_suspended_and_resumed(terminals: list[Terminal], tmp_path: Path, tiny: list[Any]) -> None:
    terminal = opened(terminals, tmp_path / "home", "tui", *tiny)
    terminal.until("Type what the ideas")
    terminal.press("words")
    terminal.until("words")
    terminal.press(CTRL_G)
    terminal.until("16 of 16 done")
    terminal.press("\x1a")
    terminal.until(lambda: terminal.raw.rfind(b"\x1b[?1049l") > 0)
    terminal.until(lambda: Path(f"/proc/{terminal.child.pid}/stat").read_text().split(")")[1].split()[0] == "T", 20)
    assert terminal.restored
    terminal.child.send_signal(signal.SIGCONT)
    terminal.until(lambda: terminal.raw.rfind(b"\x1b[?1049h") > terminal.raw.rfind(b"\x1b[?1049l"))
    terminal.until("16 of 16 done")
    terminal.press("s")
    terminal.until("★")
    terminal.press(CTRL_Q)
    assert terminal.ended() == 0


def test_an_editor_has_the_terminal(terminals: list[Terminal], tmp_path: Path, tiny: list[Any]) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "EDITOR WAS HERE" && printf " edited" >> "$1" && sleep 0.3\n')
    editor.chmod(0o755)
    home = tmp_path / "home"
    terminals.append(
        Terminal(
            ["-P", "-m", "baco_local", "tui", *map(str, tiny)],
            {"BACO_LOCAL_HOME": str(home), "EDITOR": str(editor), "VISUAL": ""},
        )
    )
    terminal = terminals[-1]
    terminal.until("Type what the ideas")
    terminal.press("words")
    terminal.until("words")
    terminal.press(CTRL_G)
    terminal.until("16 of 16 done")
    terminal.press("E")
    terminal.until("edited")
    assert b"EDITOR WAS HERE" in terminal.raw
    terminal.press(CTRL_Q)
    assert terminal.ended() == 0
    assert any(text.endswith(" edited") for text in texts(home))


def test_bytes_that_are_no_text_do_not_end_the_desk(terminals: list[Terminal], tmp_path: Path, tiny: list[Any]) -> None:
    terminal = opened(terminals, tmp_path / "home", "tui", *tiny)
    terminal.until("Type what the ideas")
    terminal.press(b"caf\xe9 \xff noir")
    terminal.until("noir")
    terminal.press(CTRL_Q)
    assert terminal.ended() == 0
    assert b"Traceback" not in terminal.raw


def test_baco_local_alone_opens_the_desk_at_a_terminal_only(
    terminals: list[Terminal], tmp_path: Path, baco: Any
) -> None:
    terminal = opened(terminals, tmp_path)
    terminal.until("these are not here yet")  # no models in this home
    terminal.press(CTRL_Q)
    assert terminal.ended() == 0
    assert terminal.restored
    done = baco()
    assert done.returncode == 0
    assert b"Usage:" in done.stdout
    done = baco("tui")
    assert done.returncode == 2
    assert b"needs a terminal" in done.stderr


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('[tui]\nthem = "nord"', "did you mean theme?"),
        ('[tui]\ntheme = "nrd"', "did you mean nord?"),
        ('[tui]\nvariants = "8"', "it takes a whole number"),
        ("[tui]\nvariants = 0", "it takes 1 to 500"),
        ("[tui]\nplain = 1", "it takes true or false"),
        ('[tui.keys]\nstr = "k"', "did you mean star?"),
        ("[tui.keys]\nstar = 5", "it takes keys in quotes"),
        ("tui = 5", "tui is a table"),
        ('[tui]\npair = "strter"', "starter"),
    ],
)
def test_a_wrong_preference_is_one_line(terminals: list[Terminal], tmp_path: Path, config: str, says: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(config)
    terminal = opened(terminals, tmp_path, "tui")
    assert terminal.ended() == 2
    assert says in terminal.raw.decode()
    assert b"\x1b[?1049h" not in terminal.raw
