"""`baco-local calibrate`: measures what the knob does with a pair, so that `--diversity 0.3` means the same everywhere."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from baco_local import paths
from baco_local.cli.examples import examples
from baco_local.cli.options import chosen, of_a_pair
from baco_local.errors import UsageProblem
from baco_local.text import to_json


@click.command(
    "calibrate",
    short_help="Measure what the knob does with a pair, and keep it for --diversity.",
    epilog=examples("baco-local calibrate mine.jsonl", "baco-local calibrate mine.jsonl --no-store --json"),
)
@click.argument("sweep_file", metavar="[SWEEP]", required=False, type=click.Path(path_type=Path))
@of_a_pair("the sweep's, or starter")
@click.option(
    "--prompts",
    "count",
    type=click.IntRange(2),
    default=6,
    show_default=True,
    help="Without SWEEP: how many of our own prompts.",
)
@click.option(
    "-k", "k", type=click.IntRange(2, 100), default=4, show_default=True, help="Without SWEEP: ideas of each setting."
)
@click.option("--max-tokens", type=int, default=48, show_default=True, help="Without SWEEP: longest idea, in tokens.")
@click.option(
    "--threads", type=click.IntRange(1, 512), help="CPU threads.  [default: config.toml's, or the physical cores]"
)
@click.option("--no-store", is_flag=True, help="Only show it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(sweep_file: Path | None, **given: Any) -> int:
    """Measure which share of the tokens base writes at which threshold, for every router, and which threshold gives the best of
    quality and diversity together; from SWEEP, or from a few of our own prompts. It is kept in models.toml beside the pair: from
    then on `--diversity` and the desk's knob are base's share (as far as it was measured; then they go on to the router's
    extremes), and a router without a threshold takes the best.
    """
    from baco_local.catalog import writing
    from baco_local.catalog.reading import read_catalog, user_file
    from baco_local.lab.calibration import calibrations
    from baco_local.lab.swept import read as read_sweep
    from baco_local.lab.vectors import embedder
    from baco_local.origin import demand_same_models

    if sweep_file and (given["base"] or given["same"]):
        raise UsageProblem(
            "SWEEP says which models wrote it; name a pair (--pair) to keep the calibration beside, not files"
        )
    vectors = embedder()  # what is missing is said before anything is written
    name = (given["pair"] or read_sweep(sweep_file).header["pair"]) if sweep_file else chosen(given).name
    pairs = read_catalog().pairs
    if not given["no_store"] and name not in pairs:
        raise UsageProblem(
            f"{name} is not in the catalogue, so there is nothing to keep it beside: models add it, or give --no-store"
        )
    path = sweep_file or paths.made("state") / f"calibration-{name}.jsonl"
    if not sweep_file and (code := swept(given, path)):
        return code
    found = read_sweep(path)
    if name in pairs:
        demand_same_models(pairs[name], found.header["files"])
    measured = calibrations(found, vectors)
    record = {router: {**asdict(one.calibration), "certainty": one.certainty} for router, one in measured.items()}
    click.echo(to_json({"pair": name, "routers": record}) if given["as_json"] else "\n".join(lines(measured)))
    if not given["no_store"]:
        tables = {router: asdict(one.calibration) for router, one in measured.items()}
        writing.put("calibrations", name, json.loads(json.dumps(tables)))  # tuples are lists there
    if not given["no_store"] and not given["quiet"]:
        click.echo(f"kept: [calibrations.{name}] in {user_file()}", err=True)
    if not sweep_file:
        path.unlink()
    return 0


def swept(given: dict[str, Any], path: Path) -> int:
    """A small sweep of every router into `path`; what was interrupted goes on the next time. Returns the exit code."""
    from baco_local.cli.sweep import planned, write
    from baco_local.lab.calibration import SINGLE, with_threshold
    from baco_local.origin import files_of

    entry = chosen(given)
    options = given | {"methods": ",".join([*with_threshold(), *SINGLE]), "limit": None, "system": None}
    options |= {"diversities": None, "temperatures": None, "seed": 0, "slots": 16}
    plan = planned(None, entry, options, files_of(entry))
    many = min(given["count"], len(plan.prompts))
    chosen_ones = tuple(plan.prompts[at * len(plan.prompts) // many] for at in range(many))
    return write(replace(plan, prompts=chosen_ones), entry, path, given, hint="")


def lines(measured: Mapping[str, Any]) -> list[str]:
    said = [
        "base's share of the tokens at each threshold; * did best in quality (relevance) and diversity together "
        "(in brackets: in how many of 400 draws of the prompts)"
    ]
    for router, one in measured.items():
        found = one.calibration
        places = [
            f"{threshold:g}{'*' if threshold == found.default else ''}: {share:.0%}"
            for threshold, share in zip(found.thresholds, found.shares, strict=True)
        ]
        certain = [] if one.certainty is None else [f"({one.certainty:.0%})"]
        said.append(f"  {router:<8} " + "   ".join([*places, *certain]))
    return said
