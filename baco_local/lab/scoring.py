"""The diversity of texts, prompt by prompt: what `baco-local score` prints."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baco_local.errors import UsageProblem
from baco_local.lab import lexical, semantic
from baco_local.lab.vectors import embedder


@dataclass(frozen=True, slots=True)
class Score:
    """metrics by name: the mean over prompts, None where no prompt has enough texts. more: is more of it more diverse?
    vectors: what the sentence vectors are from; "" without any."""

    metrics: Mapping[str, float | None]
    more: Mapping[str, bool]
    vectors: str
    prompts: int
    texts: int

    def record(self) -> dict[str, Any]:
        return {
            "texts": self.texts,
            "prompts": self.prompts,
            "vectors": self.vectors or None,
            "metrics": {
                name: {"value": value, "more_is_diverse": self.more[name]} for name, value in self.metrics.items()
            },
        }


def score(groups: Mapping[str, Sequence[str]], *, semantic: bool = True) -> Score:
    """groups: texts by prompt. Raises UsageProblem where the vectors' extra is missing."""
    found = [of_one(texts, semantic) for texts in groups.values()]
    names = list(found[0]) if found else []
    means = {name: mean(one[name] for one in found) for name in names}
    more = {name: name not in lexical.LESS for name in names}
    return Score(means, more, embedder().name if semantic else "", len(groups), sum(map(len, groups.values())))


def of_one(texts: Sequence[str], vectors: bool) -> dict[str, float | None]:
    found = lexical.lexical(texts)
    if vectors:
        found |= semantic.semantic(embedder()(texts))
    return found


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def texts_of(lines: Iterable[str], name: str) -> dict[str, list[str]]:
    """By prompt: JSON lines with `text` (and perhaps `prompt`) or `generations`, a list of them; lines with a `prompt` alone,
    which are prompts to be compared with each other; or plain lines, all of one prompt. Raises UsageProblem."""
    groups: dict[str, list[str]] = {}
    for number, whole in enumerate(lines, 1):
        line = whole.removeprefix("\ufeff") if number == 1 else whole
        if not line.strip():
            continue
        prompt, texts = "", [line.strip()]
        if line.lstrip().startswith("{"):
            prompt, texts = texts_in(line, f"{name}, line {number}")
        groups.setdefault(prompt, []).extend(texts)
    if not groups:
        raise UsageProblem(f"{name}: no texts in it; give one a line, or JSON lines with `text`")
    return groups


def encodes(text: str) -> bool:
    try:
        return bool(text.encode()) or not text
    except UnicodeEncodeError:
        return False


def texts_in(line: str, where: str) -> tuple[str, list[str]]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageProblem(f"{where}: is no JSON object with `text`") from None
    if "sweep" in record:
        raise UsageProblem(f"{where}: is a sweep, in which many settings stand; see: baco-local report FILE")
    prompt = str(record.get("prompt") or "")
    if "text" in record:
        texts = [record["text"]]
    elif "generations" in record:
        texts = record["generations"]
    elif "prompt" in record:
        prompt, texts = "", [record["prompt"]]
    else:
        raise UsageProblem(f"{where}: is no JSON object with `text`")
    listed = texts if isinstance(texts, list) else [texts]
    for text in listed:
        if not isinstance(text, str) or not encodes(text):
            raise UsageProblem(f"{where}: `text` is {ascii(text)[:60]}, which is no text")
    return prompt, listed
