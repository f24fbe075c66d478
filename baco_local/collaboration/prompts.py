"""What each model reads before the first word: the aligned one its chat template, the base one plain text."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from baco_local.collaboration.settings import Request
from baco_local.collaboration.side import Side
from baco_local.errors import UsageProblem
from baco_local.text import one_line


@dataclass(frozen=True, slots=True)
class Prompts:
    """Token ids for both models, and the text that the variants directly follow ('' in instruct mode)."""

    base: list[int]
    aligned: list[int]
    before: bytes


def build(request: Request, base: Side, aligned: Side) -> Prompts:
    """Raises UsageProblem when the aligned model has no chat template, or one that fails."""
    if request.mode == "continue":
        # A trailing space would leave the models a token they have hardly ever seen.
        text = request.prompt.rstrip(" \t").encode()
        return Prompts(raw(base, text), raw(aligned, text), text)
    system = f"{request.system}\n" if request.system else ""
    plain = f"{system}Instruction: {request.prompt}\n".encode()
    return Prompts(raw(base, plain), chat(aligned, request.system, request.prompt), b"")


def raw(side: Side, text: bytes) -> list[int]:
    return side.vocabulary.tokenize(text, add_special=True)


def chat(side: Side, system: str, prompt: str) -> list[int]:
    vocabulary = side.vocabulary
    if side.chat_template is None:
        raise UsageProblem(
            f"{side.name}: the aligned model has no chat template, so it can't be given a task\n"
            "use an instruct model's file as the aligned one, or --continue to carry on a text"
        )
    bos = vocabulary.text_of(vocabulary.bos)
    text = render(side, bos, vocabulary.text_of(vocabulary.eos), system, prompt)
    begins = bool(bos) and text.startswith(bos)
    return vocabulary.tokenize(text.encode(), add_special=not begins, parse_special=True)


def render(side: Side, bos: str, eos: str, system: str, prompt: str) -> str:
    """The template's text for one task. A template without a system role gets both in one turn."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": refuse, "strftime_now": today}
    task = {"role": "user", "content": prompt}
    merged = {"role": "user", "content": f"{system}\n\n{prompt}"}
    attempts: list[list[dict[str, str]]] = (
        [[{"role": "system", "content": system}, task], [merged]] if system else [[task]]
    )
    problem = ""
    for messages in attempts:
        try:
            text = environment.from_string(side.chat_template or "").render(
                messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos, enable_thinking=False
            )
            text.encode()
            return text
        except Exception as error:  # a template is a program out of a file: it may raise anything
            problem = one_line(f"{type(error).__name__}: {error}")
    raise UsageProblem(
        f"{side.name}: the aligned model's chat template failed ({problem})\n"
        "use another file as the aligned one, or --continue to carry on a text"
    )


def refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


today: Callable[[str], Any] = lambda form: datetime.now().strftime(form)  # noqa: E731
