"""The quality of a sweep's ideas, by as many metrics as there are, remembered prompt by prompt: judging takes long.

A metric of quality is a name and a function of a prompt and its ideas. Relevance needs the vectors of the extra `lab`, the judge a
model, and a plug-in is a command: it reads JSON lines with `prompt` and `text` and writes a number for each.
"""

import hashlib
import json
import math
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from baco_local import paths
from baco_local.errors import Problem, UsageProblem
from baco_local.lab.swept import Sweep
from baco_local.text import words_of

LARGEST = 1e12  # a number that a metric may give
Scores = dict[tuple[str, str, float], list[float]]  # by prompt's id, method and value
Measure = Callable[[str, Sequence[str]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Quality:
    """name: in tables. by: what measures it, exactly: scores of another one are not taken for its own. measure: a number for each of
    a prompt's ideas, more is better, NaN where it can't tell. first: only so many ideas of a setting; 0 for all."""

    name: str
    by: str
    measure: Measure
    first: int = 0


class Memory:
    """Scores in a file of JSON lines, one for each metric and prompt; a line that is damaged is measured again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[tuple[str, ...], list[float]] = {}
        try:
            content = path.read_text("utf-8", "replace") if path.exists() else ""
        except OSError as error:
            raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None
        self.whole = content.endswith("\n") or not content  # does the last line end?
        for line in content.splitlines():
            try:
                record = json.loads(line)
                key = tuple(str(record[name]) for name in ("quality", "by", "of"))
                self.known[key] = [math.nan if value is None else float(value) for value in record["scores"]]
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue

    def scores(self, quality: Quality, prompt: str, texts: Sequence[str]) -> list[float]:
        """Measured, unless these texts have been. Raises Problem for a measure that gives no number for each."""
        key = quality.name, quality.by, digest(prompt, texts)
        if len(self.known.get(key, ())) != len(texts):
            found = [float(value) for value in quality.measure(prompt, texts)]
            if len(found) != len(texts) or any(abs(value) > LARGEST for value in found):
                raise Problem(
                    f"{quality.name}: gave {len(found)} numbers for {len(texts)} ideas, or one that is too large"
                )
            found = [round(value, 6) for value in found]  # as they are read again
            scores = [None if math.isnan(value) else value for value in found]
            self.known[key] = found
            record = {"quality": key[0], "by": key[1], "of": key[2], "scores": scores}
            with open(self.path, "a", encoding="utf-8", opener=paths.private) as file:
                file.write(("" if self.whole else "\n") + json.dumps(record) + "\n")
            self.whole = True
        return self.known[key]


def digest(prompt: str, texts: Sequence[str]) -> str:
    return hashlib.blake2b(json.dumps([prompt, *texts]).encode(), digest_size=12).hexdigest()


def scored(sweep: Sweep, quality: Quality, memory: Memory) -> Iterator[tuple[str, Scores]]:
    """Prompt by prompt: its id, and its ideas' scores."""
    for key, prompt in sweep.prompts.items():
        sets = {
            (key, *setting): [str(idea["text"]) for idea in sweep.ideas[key, *setting]][: quality.first or None]
            for setting in sweep.settings
        }
        found = iter(memory.scores(quality, prompt, [text for texts in sets.values() for text in texts]))
        yield key, {place: [next(found) for _ in texts] for place, texts in sets.items()}


def plugin(given: str) -> Quality:
    """From NAME=COMMAND, which is started once for each prompt. Raises UsageProblem for what is none."""
    name, _, command = given.partition("=")
    try:
        words = words_of(command)
    except ValueError as error:
        raise UsageProblem(f"--quality {given}: {error}") from None
    if not name.strip() or not words:
        raise UsageProblem(f"--quality {given}: give a name and a command, as in reward='python reward.py'")

    def measure(prompt: str, texts: Sequence[str]) -> list[float]:
        lines = "".join(json.dumps({"prompt": prompt, "text": text}, ensure_ascii=False) + "\n" for text in texts)
        try:
            done = subprocess.run(words, input=lines.encode(), stdout=subprocess.PIPE, check=False)
        except OSError as error:
            raise UsageProblem(f"--quality {name}: {words[0]} can't be run ({error.strerror})") from None
        if done.returncode:
            raise Problem(f"--quality {name}: {command} ended with exit code {done.returncode}")
        try:
            return [float(line) for line in done.stdout.decode("utf-8", "replace").split()]
        except (ValueError, OverflowError):
            raise Problem(f"--quality {name}: {command} wrote something else than a number a line") from None

    files = [(word, os.stat(word)) for word in words if os.path.isfile(word)]
    by = json.dumps([command, *((word, found.st_size, found.st_mtime_ns) for word, found in files)])
    return Quality(name.strip(), by, measure)


def sample(sweep: Sweep, each: int = 10) -> list[tuple[str, str]]:
    """(prompt, text): so many ideas of each prompt, evenly from all settings, of each prompt others; to check a judge with."""
    found = []
    for turn, (key, prompt) in enumerate(sweep.prompts.items()):
        texts = [str(sweep.ideas[key, *setting][0]["text"]) for setting in sweep.settings]
        texts = [text for text in texts if text.strip()]
        places = dict.fromkeys((turn + at * len(texts) // each) % len(texts) for at in range(each)) if texts else {}
        found += [(prompt, texts[place]) for place in places]
    return found
