"""What is made of a sweep: qualities measured, the frontier found, and a folder with a page, pictures and all numbers."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from baco_local.collaboration.settings import Request
from baco_local.collaboration.side import Side
from baco_local.collaboration.variant import SPEAKERS
from baco_local.errors import Problem, UsageProblem
from baco_local.lab import table
from baco_local.lab.frontier import Frontier, Ordering, frontier, orderings
from baco_local.lab.judge import ENOUGH, Judge
from baco_local.lab.likelihood import log_likelihoods
from baco_local.lab.page import page
from baco_local.lab.points import Points, points_of
from baco_local.lab.quality import Memory, Quality, Scores, sample, scored
from baco_local.lab.relevance import relevance
from baco_local.lab.swept import Sweep
from baco_local.lab.vectors import Embedder
from baco_local.paths import write_atomically

Tell = Callable[[str], None]


@dataclass(slots=True)
class Measured:
    """scores: by quality, of every idea. beside: the same for log-likelihoods, which are no quality. notes: a line each."""

    scores: dict[str, Scores] = field(default_factory=dict)
    beside: dict[str, Scores] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, sweep: Sweep, quality: Quality, memory: Memory, tell: Tell, *, beside: bool = False) -> None:
        found: Scores = {}
        for done, (_, scores) in enumerate(scored(sweep, quality, memory), 1):
            found |= scores
            tell(f"{quality.name}: prompt {done} of {len(sweep.prompts)}")
        if all(score != score for scores in found.values() for score in scores):
            raise UsageProblem(f"{quality.name}: gave no number for any idea")
        (self.beside if beside else self.scores)[quality.name] = found


def by_vectors(sweep: Sweep, embedder: Embedder, memory: Memory, measured: Measured, tell: Tell) -> None:
    quality = Quality("relevance", embedder.name, functools.partial(relevance, embedder))
    measured.take(sweep, quality, memory, tell)
    measured.notes.append(
        f"relevance: cosine of an idea's vector with its prompt's ({embedder.name}), less where more than half of the idea is "
        "the prompt's own words. It rewards ideas that keep to the prompt's words, and knows nothing of style or sense."
    )


def by_judge(sweep: Sweep, side: Side, by: str, memory: Memory, measured: Measured, tell: Tell) -> None:
    """Checks the model of this side first, and leaves it out where it can't tell an idea's own prompt from another."""
    try:
        judge = Judge(side)
    except Problem as problem:
        measured.notes.append(f"judge: not used. {problem}")
        return
    if len(sweep.prompts) < 2:
        measured.notes.append("judge: not used. With one prompt it can't be told whether it is any good.")
        return
    tell("judge: is it any good?")
    ideas = sample(sweep)
    check = Quality("judge's accuracy", by, lambda prompt, texts: judge.prefers(ideas))
    accuracy = float(np.mean(memory.scores(check, "", [f"{prompt}\n{text}" for prompt, text in ideas])))
    says = f"judge: {judge.name}; it prefers an idea for its own prompt in {accuracy:.1%} of {len(ideas)} pairs"
    if accuracy < ENOUGH:
        measured.notes.append(f"{says}, and below {ENOUGH:.0%} it is not used: the quality here is without a judge.")
        return
    measured.take(sweep, Quality("judge", by, judge), memory, tell)
    measured.notes.append(f"{says} (chance is 50 %). A number in (0, 1): how much rather good than bad.")


def by_likelihood(
    sweep: Sweep, engine: Any, by: str, first: int, memory: Memory, measured: Measured, tell: Tell
) -> None:
    """first: ideas of each setting."""
    options = sweep.header["options"]
    for speaker in SPEAKERS:

        def measure(prompt: str, texts: Sequence[str], speaker: str = speaker) -> list[float]:
            request = Request(prompt, system=options["system"], mode=options["mode"])
            return log_likelihoods(engine, speaker, request, texts)

        quality = Quality(f"log-likelihood, {speaker}", f"{by}, {first} of each", measure, first)
        measured.take(sweep, quality, memory, tell, beside=True)


SCORES = "scores.jsonl"
WRITTEN = ("report.html", "points.json", "frontier.png", "shares.png", "spaces.png")


def demand_own(folder: Path) -> None:
    """Raises UsageProblem where files of a report's names are not a report's: they are somebody's."""
    there = [name for name in (*WRITTEN, SCORES) if (folder / name).exists()]
    if not there:
        return
    scores = folder / SCORES
    try:
        own = scores.is_file() and "quality" in json.loads(scores.read_text("utf-8", "replace").split("\n")[0])
    except (OSError, ValueError, TypeError, RecursionError):
        own = False
    if not own:
        raise UsageProblem(f"{folder / there[0]}: is there already, and of no report; give another folder with -o")


@dataclass(frozen=True, slots=True)
class Report:
    points: Points
    frontier: Frontier
    orderings: list[Ordering]
    facts: dict[str, Any]
    notes: list[str]

    def record(self) -> dict[str, Any]:
        return table.record(self.points, self.frontier, self.orderings, self.facts)


def report(
    sweep: Sweep, embedder: Embedder, measured: Measured, draws: int, tell: Tell, methods: Sequence[str] = ()
) -> Report:
    """methods: those that are compared; all without any. Raises UsageProblem where there is nothing to compare quality by."""
    if not measured.scores:
        raise UsageProblem("no quality is left to compare by; take a judge that is used, or --quality")
    points = points_of(sweep, embedder, measured.scores, tell)
    points = points.only(methods) if methods else points
    tell("the frontier")
    found = frontier(points, draws)
    every, header = len(sweep.header["prompts"]), sweep.header
    notes = list(measured.notes)
    if len(points.prompts) < every:
        notes.insert(0, f"The sweep isn't finished: {len(points.prompts)} of {every} prompts are here.")
    facts = {
        "pair": header["pair"],
        "files": header["files"],
        "prompts": len(points.prompts),
        "k": header["k"],
        "max_tokens": header["options"]["max_tokens"],
        "qualities": list(points.qualities),
        "vectors": embedder.name,
        "draws": len(found.coverage) - 1,
        "notes": notes,
        "log_likelihoods": {name: means(scores, points) for name, scores in measured.beside.items()},
    }
    return Report(points, found, orderings(found, points), facts, notes)


def means(scores: Scores, points: Points) -> dict[str, float | None]:
    """Of each method, over all its settings and prompts."""
    found = {}
    for method in points.methods:
        known = [one for (_, name, _), values in scores.items() if name == method for one in values if one == one]
        found[method] = round(float(np.mean(known)), 3) if known else None
    return found


def lines_of(found: Report) -> list[str]:
    """What is printed: the table, what holds, and what was measured how."""
    facts = found.facts
    said = [
        f"{facts['pair']}: {facts['prompts']} prompts, {facts['k']} ideas of up to {facts['max_tokens']} tokens for each of "
        f"{len(found.points.settings)} settings",
        "",
        table.text(table.rows(found.frontier)),
        "",
        *table.ordering_lines(found.orderings),
    ]
    for name, by in facts["log_likelihoods"].items():  # of each model's own tokens: two such lines don't compare
        values = ", ".join(f"{method} {value:.2f}" for method, value in by.items() if value is not None)
        said += ["", f"{name}, nats a token (no quality): {values}"]
    return [*said, "", *found.notes]


NOTES = (
    "Quality and diversity are put between 0 and 1 by the extremes of all points here, so figures of two reports can't be compared.",
    "Coverage: the area between the origin and a method's best points, averaged over every quality with every metric of diversity "
    "(lexical and semantic ones, each group alike). Dominance: its share of the points that no other beats.",
    "The intervals come from drawing the prompts anew, with replacement; they say nothing of other models or lengths.",
    "Ideas have a largest length in tokens, and some methods write shorter ones (words: in points.json); metrics of words depend on it.",
    "Resampled pools have wider extremes, so a Coverage lies rather at the upper end of its interval.",
)


def write(found: Report, sweep: Sweep, folder: Path) -> None:
    """The page, its pictures and the numbers."""
    from baco_local.lab import plots

    points, front = found.points, found.frontier
    pictures = {
        "frontier": (
            plots.frontiers(points, front),
            "Frontier",
            "Quality against diversity; a line is a method, turned from safe to wild.",
        ),
        "shares": (
            plots.shares(points, front),
            "The knob",
            "How much base writes at each threshold. The grey line is an even knob.",
        ),
        "spaces": (plots.spaces(points, front), "Every sub-space", "Each metric of diversity over each of quality."),
    }
    for name, (png, _, _) in pictures.items():
        write_atomically(folder / f"{name}.png", png)
    numbers = json.dumps(found.record(), ensure_ascii=False, indent=1) + "\n"
    write_atomically(folder / "points.json", numbers.encode())
    facts = lines_of(found)[:1] + [
        f"{side}: {facts.get('sha256') or facts.get('size', 'unknown')}" for side, facts in found.facts["files"].items()
    ]
    html = page(
        f"{found.facts['pair']}: quality and diversity",
        facts,
        table.rows(front),
        table.ordering_lines(found.orderings),
        {heading: (png, says) for png, heading, says in pictures.values()},
        examples(sweep, points.methods),
        [*found.notes, *NOTES],
    )
    write_atomically(folder / "report.html", html.encode("utf-8", "replace"))


def examples(sweep: Sweep, methods: Sequence[str], prompts: int = 4, ideas: int = 3) -> list[Mapping[str, Any]]:
    """Ideas of p-punc, or of the first of the methods, at its first, middle and last setting."""
    method = "p-punc" if "p-punc" in methods else methods[0]
    values = [value for name, value in sweep.settings if name == method]
    chosen = list(dict.fromkeys([values[0], values[len(values) // 2], values[-1]]))
    step = max(1, len(sweep.prompts) // prompts)
    return [
        {
            "prompt": text,
            "columns": [
                (f"{method} at {value:g}", [str(idea["text"]) for idea in sweep.ideas[key, method, value][:ideas]])
                for value in chosen
            ],
        }
        for key, text in list(sweep.prompts.items())[::step][:prompts]
    ]
