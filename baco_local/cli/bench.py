"""`baco-local bench`: how fast a pair writes on this machine, and what to ask it for."""

import signal
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.cli.options import chosen, of_a_pair, opened
from baco_local.errors import UsageProblem
from baco_local.text import to_json


class Threads(click.ParamType[int | str]):
    """A number, or `auto`."""

    name = "n|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "auto":
            return value
        return click.IntRange(1, 512).convert(value, param, ctx)


def sizes_in(text: str) -> tuple[int, ...]:
    from baco_local.collaboration.settings import MAX_VARIANTS

    try:
        sizes = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise UsageProblem(f"--variants {text}: give numbers with commas between them, as in 1,16,32") from None
    if not all(1 <= size <= MAX_VARIANTS for size in sizes):
        raise UsageProblem(f"--variants {text}: it takes numbers from 1 to {MAX_VARIANTS}")
    return sizes


@click.command(
    "bench",
    short_help="Measure how fast a pair writes here.",
    epilog=examples(
        "baco-local bench",
        "baco-local bench --pair qwen3-0.6b --variants 1,16",
        "baco-local bench --threads auto --store",
    ),
)
@of_a_pair()
@click.option(
    "--variants", default="1,4,8,16,32,100", show_default=True, help="Numbers of ideas to measure, with commas."
)
@click.option(
    "--max-tokens", type=click.IntRange(48, 512), default=64, show_default=True, help="Longest idea, in tokens."
)
@click.option("--rounds", type=click.IntRange(1, 20), default=2, show_default=True, help="Turns that everything has.")
@click.option("--threads", type=Threads(), help="CPU threads; `auto` finds the best and offers to keep it.")
@click.option("--store", is_flag=True, help="With --threads auto: keep the best without asking.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
def command(**given: Any) -> int:
    """Measure how fast a pair writes here, in one process and in turn: this program with several numbers of ideas
    at once; a plain script that runs both models for every token of one idea after another; the aligned model alone;
    and what llama.cpp needs for the same evaluations in full batches. Ctrl-C shows what has been found so far.
    """
    if given["store"] and given["threads"] != "auto":
        raise UsageProblem("--store goes with --threads auto")
    if given["threads"] == "auto":
        return find_threads(given)
    from baco_local.collaboration.settings import Request
    from baco_local.lab.bench import PROMPT_TEXT, Bench
    from baco_local.lab.figures import record

    sizes = sizes_in(given["variants"])
    request = Request(PROMPT_TEXT, n=max(sizes), max_tokens=given["max_tokens"])
    with opened(given, chosen(given), given["threads"], request) as pair:
        bench = Bench(pair, Request(PROMPT_TEXT, max_tokens=given["max_tokens"]), sizes, given["rounds"])
        steps = bench.rounds * (len(sizes) + 4) + 1
        code = work_through(bench.steps(), steps)
        found = record(bench)
    click.echo(to_json(found) if given["as_json"] else table(found))
    return code


def work_through(steps: Iterable[Any], total: int) -> int:
    """Does them, with a bar on a terminal and a line each elsewhere. Returns the exit code."""
    with bar(total) as tell:
        iterator = iter(steps)
        try:
            for label, work in iterator:
                tell(label)
                work()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cost what was found
            click.echo("interrupted; this was found so far", err=True)
            return 130
        finally:
            iterator.close()  # type: ignore[attr-defined]
    return 0


@contextmanager
def bar(total: int) -> Any:
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda label: click.echo(f"measuring: {label}", err=True)
        return
    from rich import progress
    from rich.console import Console

    columns = [
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TimeElapsedColumn(),
    ]
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=total, completed=-1)
        yield lambda label: shown.update(task, description=label, advance=1)


def table(found: dict[str, Any]) -> str:
    """The figures for people."""
    plain, alone = "lock-step", "aligned alone"
    lines = [
        f"{found['pair']}, ideas of up to {found['max_tokens']} tokens, {found['machine']['threads']} threads, {found['machine']['cpu']}",
        "",
        "  ideas   tok/s   to lock-step   to aligned alone   efficiency   first words   outside decode   base",
    ]
    for row in found["engine"]:
        lines.append(
            f"  {row['variants']:>5}  {row['tokens_per_second']:>6.1f}  {times(row['ratios'], plain):>13}  {times(row['ratios'], alone):>17}"
            f"  {row['efficiency']:>11.2f}  {row['first_words_seconds']:>10.2f} s  {100 * row['outside_decode']:>13.1f} %  {100 * row['base_share']:>3.0f} %"
        )
    rivals = found["rivals"]
    for name, what in (
        (plain, "both models for every token, one idea after another"),
        (alone, "one model, one idea after another"),
    ):
        if rivals[name]:
            tuned = f", tuned {rivals[name + ', tuned']:.1f}" if rivals[name + ", tuned"] else ""
            lines.append(f"  {name}: {rivals[name]:.1f} tok/s{tuned} ({what})")
    lines += ["", "in brackets and 'tuned': scripts that use all cores and keep the evaluated prompt"]
    lines.append("efficiency: what llama.cpp needs for the same evaluations in batches of all ideas, to the time taken")
    if kernel := found["kernel"]:
        lines.append(
            f"kernel: {kernel['ms_per_row']:.3f} ms a row of base; only reading one from memory takes {kernel['ms_per_read']:.3f} ms"
        )
    memory = found["memory"]
    if memory["peak"]:
        more = f"; each further idea {memory['per_variant'] / 1e6:.1f} MB" if memory["per_variant"] is not None else ""
        lines.append(
            f"memory: {memory['peak'] / 1e6:.0f} MB at most with {memory['variants']} ideas, {memory['over_files'] / 1e6:.0f} MB over the two files{more}"
        )
    return "\n".join([*lines, "", found["advice"]]) if found["engine"] else "nothing was measured"


def times(ratios: dict[str, float | None], name: str) -> str:
    """The ratio to the plain rival, and in brackets to the tuned one."""
    plain, tuned = ratios[name], ratios[f"{name}, tuned"]
    return ("" if plain is None else f"{plain:.2f}") + ("" if tuned is None else f" ({tuned:.2f})")


def find_threads(given: dict[str, Any]) -> int:
    """Measures 16 ideas with several numbers of threads, and keeps the best where the user says so."""
    from baco_local import preferences
    from baco_local.collaboration.settings import Request
    from baco_local.lab.bench import PROMPT_TEXT, Run, write
    from baco_local.lab.figures import best_threads
    from baco_local.runtime import machine

    preferences.read()  # a fault in it is better known now
    entry = chosen(given)
    runs: dict[int, list[Run]] = {threads: [] for threads in machine.thread_choices()}
    request = Request(PROMPT_TEXT, max_tokens=given["max_tokens"])

    def measure(threads: int) -> None:
        with opened(given, entry, threads, request) as pair:
            runs[threads].append(write(pair.engine, request))

    steps = [
        (f"{threads} thread{'s' * (threads > 1)}", lambda threads=threads: measure(threads))
        for _ in range(given["rounds"])
        for threads in runs
    ]
    code = work_through((step for step in steps), len(steps))
    measured = {threads: some for threads, some in runs.items() if some}
    if not measured:
        return code
    best = best_threads(measured)
    rates = {threads: max(run.rate for run in some) for threads, some in measured.items()}
    if given["as_json"]:
        click.echo(to_json({"best": best, "tokens_per_second": {str(t): round(rate, 2) for t, rate in rates.items()}}))
    else:
        for threads, rate in rates.items():
            click.echo(f"{threads:>4} thread{'s' * (threads > 1)}: {rate:.1f} tok/s{'   best' * (threads == best)}")
    ask = not code and not given["store"] and sys.stdin is not None and sys.stdin.isatty() and not given["as_json"]
    if given["store"] or (ask and click.confirm(f"Use {best} from now on?", err=True)):
        click.echo(f"stored in {preferences.store('threads', best)}", err=True)
    elif not code:
        click.echo(
            f"to keep it: baco-local bench --threads auto --store, or threads = {best} in {preferences.file()}",
            err=True,
        )
    return code
