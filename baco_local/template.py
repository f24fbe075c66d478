"""Renders the chat template of a model: a program out of a file, run in a sandbox."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn

from baco_local.errors import Problem
from baco_local.text import one_line


class TemplateProblem(Problem):
    """A template that fails. The message is its own reason, on one line."""


def render(template: str, messages: Sequence[dict[str, str]], bos: str, eos: str) -> str:
    """The text for a conversation that the assistant is to go on. Thinking models are asked not to.

    Raises TemplateProblem for a template that fails.
    """
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": refuse, "strftime_now": today}
    try:
        text = environment.from_string(template).render(
            messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos, enable_thinking=False
        )
        text.encode()
        return text
    except Exception as error:  # it may raise anything
        raise TemplateProblem(one_line(f"{type(error).__name__}: {error}")) from None


def refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


today: Callable[[str], Any] = lambda form: datetime.now().strftime(form)  # noqa: E731
