"""Renders the chat template of a model: a program out of a file, run in a sandbox.

jinja2's sandbox keeps it away from Python; here it is also kept from running on for ever, or filling the memory, which a
template may do for one prompt and not for another: so at every rendering, not only when its file is first opened.
"""

import functools
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import FrameType
from typing import Any, NoReturn

from baco_local.errors import Problem
from baco_local.text import one_line

# For one conversation; real templates take milliseconds. Seconds; lines of its compiled code; characters or items of one value.
SECONDS, LINES, LARGEST = 5.0, 1_000_000, 1 << 24
ITEMS = 200_000  # of lists that are written out
DIGITS = 1 << 12  # binary ones, of a whole number
WIDE = {"center", "ljust", "rjust", "zfill", "expandtabs"}  # methods of texts that take a size


class TemplateProblem(Problem):
    """A template that fails. The message is its own reason, on one line."""


def render(template: str, messages: Sequence[dict[str, str]], bos: str, eos: str) -> str:
    """The text for a conversation that the assistant is to go on. Thinking models are asked not to.

    Raises TemplateProblem for a template that fails, does not end, or makes far too much.
    """
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


def countable(value: Any) -> Any:
    demand_countable(value)
    return value


def demand_room(characters: int) -> None:
    if characters > LARGEST:
        raise TemplateProblem("fills the memory")


@functools.cache
def environment() -> Any:
    from jinja2 import compiler, nodes, pass_eval_context
    from jinja2.ext import Extension
    from jinja2.filters import do_indent, do_tojson
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generator(compiler.CodeGenerator):
        def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:
            self.write("environment.concatenated((")
            for one in node.nodes:
                self.visit(one, frame)
                self.write(", ")
            self.write("))")

    class Environment(ImmutableSandboxedEnvironment):
        """In which one operation can't make something huge either."""

        intercepted_binops = frozenset({"*", "**", "%", "+"})
        code_generator_class = Generator

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            many, times = (right, left) if isinstance(left, int) else (left, right)
            if operator == "*" and isinstance(many, str | list | tuple) and isinstance(times, int):
                demand_room(len(many) * times)
            if operator == "**" and isinstance(left, int) and isinstance(right, int):
                demand_room(left.bit_length() * abs(right))
            if operator == "%" and isinstance(left, str):
                sized()
            found = super().call_binop(context, operator, left, right)
            demand_small(found)
            return found

        def concatenated(self, parts: tuple[Any, ...]) -> str:
            for part in parts:
                demand_countable(part)
            texts = [str(part) for part in parts]
            demand_room(sum(map(len, texts)))
            return "".join(texts)

        @staticmethod
        def concat(parts: Iterable[str]) -> str:
            """What a template, a macro or a block has written."""
            texts, room = [], 4 * LARGEST
            for part in parts:
                texts.append(part)
                room -= len(part)
                if room < 0:
                    raise TemplateProblem("fills the memory")
            return "".join(texts)

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            return not (isinstance(obj, str) and attr in WIDE) and super().is_safe_attribute(obj, attr, value)

        def wrap_str_format(self, value: Any) -> None:
            if isinstance(getattr(value, "__self__", None), str) and value.__name__ in ("format", "format_map"):
                sized()

        def call(self, context: Any, function: Any, /, *given: Any, **named: Any) -> Any:
            of, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
            if isinstance(of, str) and name in ("join", "replace"):
                return (join if name == "join" else replaced)(*((given[0], of) if name == "join" else (of, *given)))
            return super().call(context, function, *given, **named)

    def join(value: Any, d: Any = "", attribute: Any = None) -> str:
        texts = [str(one if attribute is None else made.getitem(one, attribute)) for one in value]
        demand_room(sum(map(len, texts)) + len(str(d)) * len(texts))
        return str(d).join(texts)

    def replaced(text: Any, old: Any, new: Any, count: int = -1) -> str:
        text, old, new = str(text), str(old), str(new)
        demand_room(len(text) + len(new) * (text.count(old) if count < 0 else count))
        return str(text.replace(old, new, count))

    @pass_eval_context
    def tojson(context: Any, value: Any, indent: int | None = None) -> Any:
        demand_countable(value)
        return do_tojson(context, value, min(indent, 8) if indent else None)

    def indented(text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        each = width if isinstance(width, int) else len(width)
        demand_room(len(text) + (text.count("\n") + 1) * each)
        return do_indent(text, width, first, blank)

    class Generation(Extension):
        """`{% generation %}` marks what the assistant says, for training: here it is nothing but what stands in it."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    made = Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation], finalize=countable
    )
    made.globals |= {"raise_exception": refuse, "strftime_now": today}
    made.globals["lipsum"] = sized
    made.filters |= {"join": join, "replace": replaced, "tojson": tojson, "indent": indented}
    made.filters |= dict.fromkeys(("center", "format", "wordwrap", "batch", "slice"), sized)
    return made


def sized(*_: Any, **__: Any) -> NoReturn:
    raise TemplateProblem("formats text, which no chat needs")


def refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


today: Callable[[str], Any] = lambda form: datetime.now().strftime(form)  # noqa: E731
