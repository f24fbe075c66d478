"""A terminal of the tests' own: a program in a pseudo-terminal, what stands on its screen, and how it leaves it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyte

ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]")


class Terminal:
    """Runs Python with these arguments on a terminal of `size` (columns, rows). raw: all that it wrote there. emulated:
    is there a screen, which takes time to draw, or only what was written lately? wrapped: a command that runs it."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        size: tuple[int, int] = (120, 40),
        emulated: bool = True,
        wrapped: Sequence[str] = (),
    ) -> None:
        self.emulated = emulated
        self.master, self.slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.heard = 0.0  # when the newest byte came
        self.lock = threading.Lock()
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env}
        self.child = subprocess.Popen(
            [*wrapped, sys.executable, *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            with self.lock:
                self.heard = time.monotonic()
                self.raw += data
                if self.emulated:
                    self.stream.feed(data)

    def shown(self) -> str:
        with self.lock:
            if self.emulated:
                return "\n".join(self.screen.display)
            return ESCAPES.sub(b"", self.raw[-100_000:]).decode("utf-8", "replace")

    def press(self, keys: str | bytes) -> None:
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def until(self, holds: Callable[[], Any] | str, seconds: float = 60.0) -> None:
        """A string: until that is shown."""
        end = time.monotonic() + seconds
        while not (holds in self.shown() if isinstance(holds, str) else holds()):
            assert time.monotonic() < end, f"never came to {holds}:\n{self.shown()}"
            assert self.child.poll() is None, f"it ended with {self.child.returncode}:\n{self.shown()}"
            time.sleep(0.02 if self.emulated else 0.1)

    def ended(self, seconds: float = 60.0) -> int:
        code = self.child.wait(seconds)
        time.sleep(0.2)  # what it wrote last
        return code

    @property
    def restored(self) -> bool:
        """Is the terminal as it was: line mode, the main screen, a cursor, no mouse?"""
        with self.lock:
            raw = bytes(self.raw)
        after = termios.tcgetattr(self.slave)
        last = {
            mode: raw.rfind(mode + b"l") > raw.rfind(mode + b"h")
            for mode in (b"\x1b[?1049", b"\x1b[?1000", b"\x1b[?2004")
        }
        cursor = raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l")
        return after[:4] == self.before[:4] and all(last.values()) and cursor

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        os.close(self.slave)
        os.close(self.master)
