"""`baco-local sweep`: ideas for many prompts under many settings, to compare methods by."""

import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.cli.options import chosen, of_a_pair, opened
from baco_local.cli.output import CLEAR, INTERVAL
from baco_local.errors import UsageProblem


def numbers(context: click.Context, param: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter("give numbers with commas between them, as in 0.1,0.4,0.85") from None


@click.command(
    "sweep",
    short_help="Write ideas for many prompts under many settings, to compare them.",
    epilog=examples("baco-local sweep", "baco-local sweep my-prompts.txt -o mine.jsonl --pair qwen3-0.6b"),
)
@click.argument("prompts", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("sweep.jsonl"),
    show_default=True,
    help="The file, one JSON line per idea; one that was broken off is gone on with.",
)
@click.option("-k", "k", type=click.IntRange(2, 100), default=8, show_default=True, help="Ideas of each setting.")
@of_a_pair()
@click.option(
    "--methods",
    help="Routers, and base-whole and aligned-whole (no min-p), with commas.  [default: p,h,rand,p-punc,p-fc,h-punc,nudging,base,aligned]",
)
@click.option(
    "--diversities", callback=numbers, help="Settings of routers with a threshold.  [default: 0.1,0.25,0.4,0.6,0.85]"
)
@click.option(
    "--temperatures", callback=numbers, help="Settings of those without one; as many.  [default: 0.5,0.75,1,1.25,1.5]"
)
@click.option("--max-tokens", type=int, default=48, show_default=True, help="Longest idea, in tokens.")
@click.option("--limit", type=click.IntRange(1), help="Only the first prompts of the file.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed and command, same file.")
@click.option("--system", help="System prompt for both models.")
@click.option("--slots", type=int, default=16, show_default=True, help="Ideas written at the same time.")
@click.option(
    "--threads", type=click.IntRange(1, 512), help="CPU threads.  [default: config.toml's, or the physical cores]"
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(prompts: Path | None, output: Path, **given: Any) -> int:
    """Write ideas for the prompts in PROMPTS (one a line, or JSON lines with `prompt`; without it, twenty of our own) under
    every method and setting, into one file, for `baco-local report`. A long run may be interrupted: the same command
    goes on where it was, and comes to the same file on the same machine with as many threads.
    """
    from baco_local.origin import SIDES, files_of

    entry = chosen(given)
    plan = planned(prompts, entry, given, files_of(entry))
    named = [f"--{side} {shlex.quote(str(given[side]))}" for side in ("pair", *SIDES) if given[side]]
    return write(
        plan, entry, output, given, hint=" ".join(["see: baco-local report", shlex.quote(str(output)), *named])
    )


def write(plan: Any, entry: Any, path: Path, given: dict[str, Any], hint: str) -> int:
    """Writes or goes on with the sweep's file, telling how far it is. Returns the exit code."""
    from filelock import FileLock, Timeout

    from baco_local import paths
    from baco_local.lab import sweep

    try:
        with FileLock(paths.made("data") / "sweep.lock", timeout=0, mode=0o600):
            sweep.looked(plan, path)  # what is wrong with it is told before the models are loaded
            with opened(given, entry, given["threads"], widest(plan)) as pair:
                file, done = sweep.opened(plan, path)
                with file:
                    return run(plan, pair, file, done, Telling(plan, path, done, given["quiet"], hint))
    except Timeout:
        raise UsageProblem("another sweep is being written; let it end first") from None


def planned(path: Path | None, entry: Any, given: dict[str, Any], files: Any) -> Any:
    from baco_local.collaboration.settings import SYSTEM, Request
    from baco_local.lab import grid
    from baco_local.lab.prompts import read_prompts
    from baco_local.lab.sweep import Plan
    from baco_local.pair import own_steering

    methods = (
        tuple(part.strip() for part in given["methods"].split(",")) if given["methods"] is not None else grid.METHODS
    )
    settings = grid.grid(
        methods,
        own_steering(entry),
        given["diversities"] or grid.DIVERSITIES,
        given["temperatures"] or grid.TEMPERATURES,
    )
    request = Request(
        "-",
        n=given["k"],
        seed=given["seed"],
        max_tokens=given["max_tokens"],
        system=SYSTEM if given["system"] is None else given["system"],
        slots=given["slots"],
    )
    return Plan(read_prompts(path)[: given["limit"]], settings, request, entry.name, files, given["cache_type"])


def widest(plan: Any) -> Any:
    """The request of the longest prompt, for the estimate of memory."""
    from dataclasses import replace

    from baco_local.collaboration.settings import MAX_VARIANTS

    longest = max((prompt.prompt for prompt in plan.prompts), key=len)
    return replace(plan.request, prompt=longest, n=min(MAX_VARIANTS, plan.request.n * len(plan.settings)))


def run(plan: Any, pair: Any, file: Any, done: int, telling: "Telling") -> int:
    from baco_local.lab import sweep

    stopped = threading.Event()

    def pressed(number: int, frame: Any) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, pressed)
    try:
        for kept in sweep.write(plan, pair.engine, file, done, stopped):
            telling.block() if kept else telling.idea()
    finally:
        signal.signal(signal.SIGINT, before)
        telling.clear()
    return telling.over(stopped.is_set())


class Telling:
    """Progress on stderr: a line that changes on a terminal, one per prompt elsewhere."""

    def __init__(self, plan: Any, path: Path, done: int, quiet: bool, hint: str) -> None:
        self.plan, self.path, self.quiet, self.hint = plan, path, quiet, hint
        self.live = not quiet and sys.stderr is not None and sys.stderr.isatty()
        sizes = [len(settings) * plan.request.n for _, settings in plan.blocks]
        self.ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
        self.begun = self.ideas = self.kept = self.ends[done - 1] if done else 0
        self.started, self.shown = time.monotonic(), 0.0
        if done and not quiet:
            self.say(f"{path}: {self.ideas} of {plan.ideas} ideas are there; going on")

    def idea(self) -> None:
        self.ideas += 1
        if self.live and time.monotonic() - self.shown > INTERVAL:
            self.shown = time.monotonic()
            click.echo(CLEAR + self.line(), err=True, nl=False)

    def block(self) -> None:
        """All of a prompt's are in the file now."""
        self.kept = self.ideas
        if not self.quiet and not self.live:
            self.say(self.line())

    def line(self) -> str:
        passed = time.monotonic() - self.started
        left = passed / max(1, self.ideas - self.begun) * (self.plan.ideas - self.ideas)
        return f"{self.ideas} of {self.plan.ideas} ideas, {span(passed)}, about {span(left)} more"

    def clear(self) -> None:
        if self.live:
            click.echo(CLEAR, err=True, nl=False)

    def over(self, stopped: bool) -> int:
        """Returns the exit code."""
        if not stopped or self.kept == self.plan.ideas:
            if self.hint and not self.quiet:
                self.say(f"{self.path}: {self.plan.ideas} ideas; {self.hint}")
            return 0
        self.say(f"interrupted; {self.kept} of {self.plan.ideas} ideas are in {self.path}: the same command goes on")
        return 130

    def say(self, text: str) -> None:
        click.echo(text, err=True)


def span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
