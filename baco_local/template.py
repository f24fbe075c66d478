"""Renders the chat template of a model: a program out of a file, run in a sandbox.

jinja2's sandbox keeps it away from Python; here it is also kept from running on for ever, or filling the memory, which a
template may do for one prompt and not for another: so at every rendering, not only when its file is first opened.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from types import FrameType
from typing import Any

from baco_local.errors import Problem
from baco_local.text import one_line

# For one conversation; real templates take milliseconds. Seconds; lines of its compiled code; characters or items of one value.
SECONDS, LINES, LARGEST = 5.0, 1_000_000, 1 << 24
ITEMS = 200_000  # of lists that are written out
DIGITS = 1 << 12  # binary ones, of a whole number


class TemplateProblem(Problem):
    """A template that fails. The message is its own reason, on one line."""


def render(template: str, messages: Sequence[dict[str, str]], bos: str, eos: str) -> str:
    """The text for a conversation that the assistant is to go on. Thinking models are asked not to.

    Raises TemplateProblem for a template that fails, does not end, or makes far too much.
    """
    from baco_local.sandbox import environment

    try:
        compiled = environment().from_string(template)
        with Bounded():
            text: str = compiled.render(
                messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos, enable_thinking=False
            )
        text.encode()
        return text
    except TemplateProblem:
        raise
    except Exception as error:  # it may raise anything
        raise TemplateProblem(one_line(f"{type(error).__name__}: {error}")) from None


class Bounded:
    """Within, this thread's Python ends in TemplateProblem after SECONDS or LINES, or when a variable has become too large: a
    variable can only double from one line to the next."""

    def __enter__(self) -> None:
        self.before, self.lines, self.until = sys.gettrace(), 0, time.monotonic() + SECONDS
        sys.settrace(self.look)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def look(self, frame: FrameType, event: str, _: object) -> "Callable[..., Any] | None":
        if event != "line":
            return self.look if frame.f_code.co_filename == "<template>" else None
        self.lines += 1
        if self.lines > LINES or time.monotonic() > self.until:
            raise TemplateProblem("does not end")
        for value in frame.f_locals.values():
            demand_small(value)
        return self.look


def demand_small(value: object) -> None:
    large = len(value) if isinstance(value, str | list | tuple | dict) else 0
    if large > LARGEST or (isinstance(value, int) and value.bit_length() > DIGITS):
        raise TemplateProblem("fills the memory")


def demand_countable(value: object) -> None:
    """Of what will be written: lists within lists, that stand in one another many times, are as large as all of that."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, list | tuple | dict):
            seen += len(one)
            if seen > ITEMS:
                raise TemplateProblem("fills the memory")
            waiting += one.values() if isinstance(one, dict) else one


def demand_room(characters: int) -> None:
    if characters > LARGEST:
        raise TemplateProblem("fills the memory")


today: Callable[[str], Any] = lambda form: datetime.now().strftime(form)  # noqa: E731
