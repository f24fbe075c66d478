"""The terminal, for the app alone: what native code prints goes to a file, and signals leave the screen as it was.

llama.cpp writes to descriptors 1 and 2, and llama-cpp-python points both at /dev/null while it loads a model, for the
whole process: frames drawn meanwhile would be lost. So the app draws on descriptors of its own.
"""

import codecs
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

ENDING = ("SIGTERM", "SIGHUP", "SIGINT")  # as a key, ctrl+c is none of these


@contextlib.contextmanager
def private_terminal(log: Path) -> Iterator[None]:
    """Within, sys.stdout and sys.stderr are the terminal, and descriptors 1 and 2 are the end of the file `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    before = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    own = [os.fdopen(os.dup(saved[number]), "w", encoding="utf-8", errors="replace", buffering=1) for number in saved]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout = sys.__stdout__ = own[0]  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = own[1]  # type: ignore[misc]
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    try:
        yield
    finally:
        for stream in own:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
        for stream in own:
            with contextlib.suppress(OSError, ValueError):
                stream.close()


def numbers() -> list[signal.Signals]:
    """The signals that end a program politely, as far as this system has them."""
    return [getattr(signal, name) for name in ENDING if hasattr(signal, name)]


def end_by(number: int) -> None:
    """Ends this process as the signal would have, now that the screen is as it was: whoever sent it can tell."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def take_any_bytes() -> None:
    """Bytes that are no UTF-8 (a latin-1 terminal, a paste of something else) become U+FFFD; Textual's input thread would end,
    and the app with it."""
    with contextlib.suppress(ImportError):  # no such driver on Windows
        from textual.drivers import linux_driver

        decoder = functools.partial(codecs.getincrementaldecoder("utf-8"), errors="replace")
        linux_driver.getincrementaldecoder = lambda name: decoder  # type: ignore[attr-defined]
