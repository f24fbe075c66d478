"""Prompts to measure with: twenty of the project's own, or a file of somebody's."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from baco_local.errors import UsageProblem

OWN = Path(__file__).with_name("prompts.jsonl")


@dataclass(frozen=True, slots=True)
class Prompt:
    """id: a name for it, unique in its file; category: "" where the file has none."""

    id: str
    category: str
    prompt: str

    def record(self) -> dict[str, str]:
        return asdict(self)


def read_prompts(path: Path | None = None) -> tuple[Prompt, ...]:
    """Of a file of JSON lines with `prompt`, and perhaps `id` and `category` (NoveltyBench's are), or of plain lines, a
    prompt each; the project's own without a file. Raises UsageProblem."""
    place = path or OWN
    try:
        lines = place.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except OSError as error:
        raise UsageProblem(f"{place}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageProblem(
            f"{place}: is not UTF-8 text; give prompts, one a line, or JSON lines with `prompt`"
        ) from None
    return prompts_of(lines, str(place))


def prompts_of(lines: Iterable[str], name: str) -> tuple[Prompt, ...]:
    found: dict[str, Prompt] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        prompt = prompt_of(line.strip(), number, name)
        if prompt.id in found:
            raise UsageProblem(f"{name}, line {number}: the id {prompt.id!r} is there already; give each its own")
        found[prompt.id] = prompt
    if not found:
        raise UsageProblem(f"{name}: no prompts in it; give one a line, or JSON lines with `prompt`")
    return tuple(found.values())


def prompt_of(line: str, number: int, name: str) -> Prompt:
    if not line.startswith("{"):
        return Prompt(str(number), "", line)
    try:
        record = json.loads(line)
        text = record["prompt"]
    except (ValueError, KeyError, RecursionError):
        raise UsageProblem(f"{name}, line {number}: is no JSON object with `prompt`") from None
    if not isinstance(text, str) or not text.strip():
        raise UsageProblem(f"{name}, line {number}: `prompt` has no text in it")
    found = Prompt(named(record.get("id")) or str(number), named(record.get("category")), text)
    try:
        json.dumps(found.record(), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageProblem(f"{name}, line {number}: is not valid UTF-8 text") from None
    return found


def named(value: object) -> str:
    return "" if value is None else str(value)
