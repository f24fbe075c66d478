"""`baco-local report`: what a sweep shows, as a table and as a page."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from baco_local import paths
from baco_local.cli.examples import examples
from baco_local.cli.options import A_FILE, chosen, of_a_pair, opened
from baco_local.cli.output import CLEAR
from baco_local.errors import Problem, UsageProblem
from baco_local.text import clean, to_json


@click.command(
    "report",
    short_help="What a sweep shows: which method covers how much of quality and diversity.",
    epilog=examples("baco-local report mine.jsonl", "baco-local report mine.jsonl --judge judge.gguf -o for-the-paper"),
)
@click.argument("sweep_file", metavar="SWEEP", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the page.  [default: SWEEP's name]")
@click.option(
    "--judge",
    type=A_FILE,
    help="GGUF file of a model that judges; `none` for no judge and no log-likelihoods.  [default: the aligned one]",
)
@click.option(
    "--quality",
    multiple=True,
    metavar="NAME=COMMAND",
    help="A metric of your own: COMMAND reads JSON lines with `prompt` and `text`, and writes a number for each (may be repeated).",
)
@click.option(
    "--likelihood",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Ideas of each setting whose log-likelihood is reported; 0 for none.",
)
@click.option(
    "--methods", help="Compare only these of the sweep's methods, with commas: all is measured by the pool's extremes."
)
@click.option(
    "--draws",
    type=click.IntRange(100, 100_000),
    default=1000,
    show_default=True,
    help="Resamples of the prompts, for the intervals.",
)
@of_a_pair("the sweep's")
@click.option(
    "--threads", type=click.IntRange(1, 512), help="CPU threads.  [default: config.toml's, or the physical cores]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(sweep_file: Path, **given: Any) -> None:
    """Measure quality and diversity of the ideas in SWEEP (made by `baco-local sweep`), and write a page with the frontier,
    pictures and all numbers into a folder. Judging takes a while; what was measured is kept there, and not measured again.
    """
    from baco_local.lab import plots, report, swept
    from baco_local.lab.quality import Memory, plugin
    from baco_local.lab.vectors import embedder

    plots.demand()
    methods = () if given["methods"] is None else tuple(part.strip() for part in given["methods"].split(","))
    vectors, plugins = embedder(), [plugin(one) for one in given["quality"]]
    names = ["relevance", "judge", *(one.name for one in plugins)]
    if len(set(names)) < len(names):
        raise UsageProblem(f"--quality: two metrics are called the same: {', '.join(names)}")
    found = swept.read(sweep_file)
    if not found.prompts:
        raise UsageProblem(f"{sweep_file}: no prompt has all its ideas yet; go on with the sweep")
    known = {method for method, _ in found.settings}
    if missing := [method for method in methods if method not in known]:
        raise UsageProblem(
            f"--methods: there is no {', '.join(missing)} in this sweep; there are {', '.join(sorted(known))}"
        )
    folder = given["output"] or sweep_file.with_name(sweep_file.stem + "-report")
    made(folder)
    report.demand_own(folder)
    memory, measured = Memory(folder / report.SCORES), report.Measured()
    with telling(given["quiet"]) as tell:
        report.by_vectors(found, vectors, memory, measured, tell)
        if str(given["judge"]) != "none":
            by_models(found, given, memory, measured, tell)
        for one in plugins:
            measured.take(found, one, memory, tell)
            measured.notes.append(f"{one.name}: by {one.by}.")
        result = report.report(found, vectors, measured, given["draws"], tell, methods)
        report.write(result, found, folder)
    click.echo(to_json(result.record()) if given["as_json"] else clean("\n".join(report.lines_of(result))))
    if not given["quiet"]:
        click.echo(f"written: {folder / 'report.html'}, its pictures and numbers beside it", err=True)


def by_models(found: Any, given: dict[str, Any], memory: Any, measured: Any, tell: Any) -> None:
    """What takes models: the judge, and the log-likelihoods, which take the sweep's own. Raises UsageProblem for others."""
    from baco_local.lab import report
    from baco_local.origin import demand_same_models, files_of, told
    from baco_local.pair import open_pair

    if given["judge"] is None or given["likelihood"]:
        entry = entry_of(found, given)
        demand_same_models(entry, found.header["files"])
        by = json.dumps({side: told(facts) for side, facts in files_of(entry).items()}, sort_keys=True)
        tell("loading the models")
        with opened(given, entry, given["threads"], None) as pair:
            if given["judge"] is None:
                report.by_judge(found, pair.sides[1], by, memory, measured, tell)
                pair.engine.forget()  # the judge has read over the kept prompt
            if given["likelihood"]:
                report.by_likelihood(found, pair.engine, by, given["likelihood"], memory, measured, tell)
    if given["judge"] is not None:
        with open_pair(same=given["judge"], threads=given["threads"], gpu_layers=given["gpu_layers"]) as judges:
            path = Path(given["judge"])
            report.by_judge(found, judges.sides[1], f"{path.absolute()} {path.stat().st_size}", memory, measured, tell)


def entry_of(found: Any, given: dict[str, Any]) -> Any:
    """The pair that is named, or the one that the sweep names. Raises UsageProblem, with what to type, where there is none."""
    from baco_local.catalog.reading import read_catalog

    if given["pair"] or given["base"] or given["same"]:
        return chosen(given)
    name = found.header["pair"]
    if name not in read_catalog().pairs:
        raise UsageProblem(
            f"the sweep's pair, {name}, is not in the catalogue; name its files (--base, --aligned …), or give --judge none"
        )
    return chosen(given | {"pair": name})


def made(folder: Path) -> None:
    try:
        paths.private_folder(folder)
    except OSError as error:
        raise Problem(f"{folder}: can't be made ({error.strerror})") from None


@contextlib.contextmanager
def telling(quiet: bool) -> Iterator[Any]:
    """What says how far it is: a line that changes on a terminal, nothing elsewhere."""
    live = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def tell(text: str) -> None:
        if live:
            click.echo(CLEAR + clean(text), err=True, nl=False)

    try:
        yield tell
    finally:
        tell("")
