"""What `ideas`, `more` and `branch` have in common: the options of a run, the run, and its output."""

import contextlib
import functools
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from baco_local.__main__ import INTERRUPTED
from baco_local.cli.keeping import Keeping
from baco_local.cli.options import Command, of_a_pair, opened, with_options
from baco_local.cli.output import Output, human, json_line, summary_line
from baco_local.errors import Problem, UsageProblem, internal
from baco_local.origin import origin_of

OPTIONS = (
    click.option("-n", "n", type=int, default=16, show_default=True, help="How many ideas."),
    click.option("--router", help="Who decides which model writes the next word.  [default: the pair's, or p-punc]"),
    click.option("--threshold", type=float, help="The router's threshold.  [default: the pair's, or the router's own]"),
    click.option("--diversity", type=float, help="The same knob for every router: 0 (safe) to 1 (wild)."),
    click.option("--base-share", type=float, help="Aim for this fraction of tokens from the base model (0 to 1)."),
    click.option("--seed", type=int, help="Same seed and command, same ideas.  [default: a new one]"),
    click.option("--max-tokens", type=int, default=96, show_default=True, help="Longest idea, in tokens."),
    click.option("--temperature", type=float, help="0 takes the likeliest token.  [default: the pair's, or 1.0]"),
    click.option("--top-k", type=int, default=0, help="Draw among the k likeliest tokens.  [default: off]"),
    click.option(
        "--top-p", type=float, help="Draw among the likeliest tokens of this mass.  [default: the pair's, or off]"
    ),
    click.option(
        "--min-p", type=float, help="Drop tokens below this part of the likeliest's.  [default: the pair's, or 0.05]"
    ),
    click.option("--repeat-penalty", type=float, default=1.0, help="Above 1: avoid recent tokens.  [default: off]"),
    click.option(
        "--frequency-penalty", type=float, default=0.0, help="Avoid them by how often they came.  [default: off]"
    ),
    click.option("--presence-penalty", type=float, default=0.0, help="Avoid them if they came at all.  [default: off]"),
    click.option("--system", help="System prompt for both models."),
    click.option("--continue", "carry_on", is_flag=True, help="PROMPT is text to carry on, not a task."),
    click.option("--stop", multiple=True, help="End an idea before this text (may be repeated)."),
    click.option(
        "--first",
        type=click.Choice(["aligned", "router"]),
        default="aligned",
        show_default=True,
        help="Who writes the first word.",
    ),
    click.option(
        "--content-source",
        default="base",
        show_default=True,
        help="Whose best guess the content rules look at: base, aligned, either.",
    ),
    click.option("--slots", type=int, default=16, show_default=True, help="Ideas written at the same time."),
    click.option(
        "--threads", type=click.IntRange(1, 512), help="CPU threads.  [default: config.toml's, or the physical cores]"
    ),
    click.option("--json", "form", flag_value="json", help="One JSON object at the end."),
    click.option("--jsonl", "form", flag_value="jsonl", help="One JSON line per idea, as it finishes."),
    click.option(
        "--trace", is_flag=True, help="With --json or --jsonl: who wrote each token, and what the router saw."
    ),
    click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout."),
    click.option("--no-log", is_flag=True, help="Do not keep it in the library."),
    click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors."),
)


def of_a_run(pair: str = "starter") -> Callable[[Command], Command]:
    """pair: which one is taken where none is named, in words."""
    return functools.partial(with_options, options=(OPTIONS[0], of_a_pair(pair), *OPTIONS[1:]))


def run(
    given: dict[str, Any],
    entry: Any,
    prompt: str,
    *,
    kept: tuple[Any, ...] = (),
    below: str | None = None,
    shown: str = "",
) -> int:
    """Writes ideas for the prompt, keeps them below the library's node `below` or a new prompt, and returns the exit code.

    kept: tokens that every idea begins with. shown: the id under which all of it is seen afterwards.
    """
    request, steering = asked(given, entry, prompt, kept)
    if given["trace"] and not given["form"]:
        raise UsageProblem("--trace goes with --json or --jsonl")
    with Output(given["output"], quiet=given["quiet"], total=request.n) as output:
        output.status("loading the models")
        with opened(given, entry, given["threads"], request) as pair:
            for warning in pair.warnings:
                output.say(f"note: {warning}")
            with Keeping(output.say, not given["no_log"]) as keeping:
                keeping.begin(prompt, origin_of(entry, request, steering, given), below, shown)
                return write(pair, request, steering, given, output, keeping)


def asked(given: dict[str, Any], entry: Any, prompt: str, kept: tuple[Any, ...] = ()) -> tuple[Any, Any]:
    """Request and steering from the options and the pair's own settings. Raises UsageProblem for what doesn't fit."""
    from baco_local.collaboration.routers import DEFAULT, router
    from baco_local.collaboration.settings import SYSTEM, Request
    from baco_local.knob import threshold_at
    from baco_local.pair import own_steering

    knobs = [name for name in ("threshold", "diversity", "base_share") if given[name] is not None]
    if len(knobs) > 1:
        raise UsageProblem(f"give only one of {', '.join('--' + knob.replace('_', '-') for knob in knobs)}")
    threshold = given["threshold"]
    if given["diversity"] is not None:
        chosen = router(given["router"] or entry.settings.get("router", DEFAULT))
        threshold = threshold_at(entry, chosen, given["diversity"])
    steering = own_steering(
        entry,
        router=given["router"],
        threshold=threshold,
        base_share=given["base_share"],
        content_source=given["content_source"],
        temperature=given["temperature"],
        top_k=given["top_k"],
        top_p=given["top_p"],
        min_p=given["min_p"],
        repeat=given["repeat_penalty"],
        frequency=given["frequency_penalty"],
        presence=given["presence_penalty"],
    )
    request = Request(
        prompt=prompt,
        n=given["n"],
        seed=secrets.randbits(32) if given["seed"] is None else given["seed"],
        max_tokens=given["max_tokens"],
        system=SYSTEM if given["system"] is None else given["system"],
        mode="continue" if given["carry_on"] else "instruct",
        first=given["first"],
        stop=given["stop"],
        slots=given["slots"],
        kept=kept,
    )
    return request, steering


def write(pair: Any, request: Any, steering: Any, given: dict[str, Any], output: Output, keeping: Keeping) -> int:
    """Runs the session and puts out what it says. Returns the exit code."""
    from baco_local.collaboration.session import Session

    session = Session(pair.engine, request, steering)
    told = Telling(pair.name, request, given, output, keeping)
    with stopped_by_ctrl_c(session) as presses:
        try:
            session.start()
            for event in session.events():
                told.tell(event)
        finally:
            session.stop()
            session.join()
    told.close(steering)
    if presses:
        output.say("interrupted; what was written is above" if told.variants else "interrupted")
    if told.problem:
        raise told.problem
    return INTERRUPTED if presses else 0


@contextlib.contextmanager
def stopped_by_ctrl_c(session: Any) -> Iterator[list[int]]:
    """Ctrl-C stops the session and interrupts nothing: an event that was taken is told. A second one interrupts. What
    it gives has one item for each."""
    presses: list[int] = []

    def pressed(number: int, frame: Any) -> None:
        presses.append(number)
        session.stop()
        if len(presses) > 1:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, pressed)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, before)


class Telling:
    """Turns a session's events into output."""

    def __init__(self, pair: str, request: Any, given: dict[str, Any], output: Output, keeping: Keeping) -> None:
        self.pair, self.request, self.output, self.keeping = pair, request, output, keeping
        self.form, self.trace = given["form"], given["trace"]
        self.variants: list[dict[str, Any]] = []
        self.summary: Any = None
        self.problem: Exception | None = None

    def tell(self, event: Any) -> None:
        from baco_local.collaboration.events import Ended, Failed, Summary, Wrote

        self.keeping.tell(event)
        if isinstance(event, Wrote):
            self.output.count()
        elif isinstance(event, Ended):
            name = self.keeping.id_of(event.variant.index)
            record = json_line(event.variant, name, self.pair, self.request.prompt, self.trace)
            self.variants.append(record)
            if self.form == "jsonl":
                self.output.write_json(record)
            elif self.form is None:
                self.output.write(human(event.variant, len(self.variants), self.output.marks))
            self.output.finished()
        elif isinstance(event, Summary):
            self.summary = event
        elif isinstance(event, Failed):
            self.problem = event.problem if isinstance(event.problem, Problem) else internal(event.problem)

    def close(self, steering: Any) -> None:
        if self.form == "json" and (self.summary or self.variants):
            self.output.write_json(
                {
                    "prompt": self.request.prompt,
                    "pair": self.pair,
                    "router": steering.router,
                    "threshold": steering.threshold,
                    "seed": self.request.seed,
                    "tokens": sum(variant["tokens"] for variant in self.variants),
                    "base_share": self.base_share(),
                    "seconds": round(self.summary.seconds, 3) if self.summary else None,
                    "variants": self.variants,
                }
            )
        if self.summary and not self.problem:
            self.output.say(summary_line(self.summary, len(self.variants), self.request.seed))

    def base_share(self) -> float:
        """Of all tokens in the variants."""
        tokens = sum(variant["tokens"] for variant in self.variants)
        by_base = sum(variant["base_share"] * variant["tokens"] for variant in self.variants)
        return float(round(by_base / max(1, tokens), 4))
