"""jinja2's sandbox, in which no single operation makes something huge: what template.py renders in.

A module of its own, for jinja2 takes a while to load: only those who render need it.
"""

import functools
from collections.abc import Iterable
from typing import Any, NoReturn

from jinja2 import TemplateError, compiler, nodes, pass_eval_context
from jinja2.ext import Extension
from jinja2.filters import do_indent, do_tojson
from jinja2.sandbox import ImmutableSandboxedEnvironment

from baco_local.template import (
    LARGEST,
    TemplateProblem,
    demand_countable,
    demand_room,
    demand_small,
    today,
)

WIDE = {"center", "ljust", "rjust", "zfill", "expandtabs"}  # methods of texts that take a size


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
    texts = [str(one if attribute is None else environment().getitem(one, attribute)) for one in value]
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


def sized(*_: Any, **__: Any) -> NoReturn:
    raise TemplateProblem("formats text, which no chat needs")


def refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def countable(value: Any) -> Any:
    demand_countable(value)
    return value


@functools.cache
def environment() -> Any:
    made = Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation], finalize=countable
    )
    made.globals |= {"raise_exception": refuse, "strftime_now": today}
    made.globals["lipsum"] = sized
    made.filters |= {"join": join, "replace": replaced, "tojson": tojson, "indent": indented}
    made.filters |= dict.fromkeys(("center", "format", "wordwrap", "batch", "slice"), sized)
    return made
