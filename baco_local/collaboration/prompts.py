"""What each model reads before the first word: the aligned one its chat template, the base one plain text."""

from dataclasses import dataclass

from baco_local import template
from baco_local.collaboration.settings import Request
from baco_local.collaboration.side import Side
from baco_local.errors import UsageProblem


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
    task = {"role": "user", "content": prompt}
    merged = {"role": "user", "content": f"{system}\n\n{prompt}"}
    attempts = [[{"role": "system", "content": system}, task], [merged]] if system else [[task]]
    problem = ""
    for messages in attempts:
        try:
            return template.render(side.chat_template or "", messages, bos, eos)
        except template.TemplateProblem as failed:
            problem = str(failed)
    raise UsageProblem(
        f"{side.name}: the aligned model's chat template failed ({problem})\n"
        "use another file as the aligned one, or --continue to carry on a text"
    )
