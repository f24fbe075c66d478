"""`baco-local calibrate`: measures what the knob does with a pair, so that `--diversity 0.3` means the same everywhere."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from baco_local.cli.options import chosen, of_a_pair
from baco_local.errors import UsageProblem

TEMPERATURE_SWEPT = ("base", "aligned")  # they stretch the scale that the routers are compared on


@click.command("calibrate", short_help="Measure what the knob does with a pair, and keep it for --diversity.")
@click.argument("sweep_file", metavar="[SWEEP]", required=False, type=click.Path(path_type=Path))
@of_a_pair
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
    """Measure which share of the words base writes at which threshold, for every router, and which threshold gives the best of
    quality and diversity together; from SWEEP, or from a few of our own prompts. It is kept in models.toml beside the pair: from
    then on `--diversity` and the desk's knob are the share of base's words, and a router without a threshold takes the best.
    """
    from baco_local.catalog import writing
    from baco_local.catalog.reading import read_catalog, user_file
    from baco_local.lab import sweep
    from baco_local.lab.vectors import embedder

    embedder()  # said before anything is written
    found, code = None, 0
    if sweep_file:
        found = sweep.read(sweep_file)
        name = given["pair"] or found.header["pair"]
    else:
        name = chosen(given).name
    if not given["no_store"] and name not in read_catalog().pairs:
        raise UsageProblem(
            f"{name} is not in the catalogue, so there is nothing to keep it beside: models add it, or give --no-store"
        )
    if found is None:
        found, code = swept(given)
    if code:
        return code
    demand_same_models(found, name)
    measured = calibrated(found)
    if not measured:
        raise UsageProblem("there is no router with a threshold in it")
    if not given["no_store"]:
        writing.put(
            "calibrations",
            name,
            {
                router: {**asdict(one), "thresholds": list(one.thresholds), "shares": list(one.shares)}
                for router, one in measured.items()
            },
        )
    click.echo(
        json.dumps({"pair": name, "routers": {router: asdict(one) for router, one in measured.items()}})
        if given["as_json"]
        else "\n".join(lines(measured))
    )
    if not given["no_store"] and not given["quiet"]:
        click.echo(f"kept: [calibrations.{name}] in {user_file()}", err=True)
    return 0


def demand_same_models(found: Any, name: str) -> None:
    from baco_local.catalog.reading import read_catalog
    from baco_local.origin import files_of, same_files

    entry = read_catalog().pairs.get(name)
    if entry and not same_files(
        found.header["files"], {side: facts | {"path": None} for side, facts in files_of(entry).items()}
    ):
        raise UsageProblem(f"{name}: its models are not those that wrote the sweep")


def swept(given: dict[str, Any]) -> tuple[Any, int]:
    """A small sweep of every router, and the exit code: what was interrupted goes on the next time."""
    from baco_local import paths
    from baco_local.cli.sweep import planned, write
    from baco_local.collaboration.routers import ROUTERS
    from baco_local.lab import sweep
    from baco_local.origin import files_of

    entry = chosen(given)
    methods = [*(name for name, router in ROUTERS.items() if router.limits), *TEMPERATURE_SWEPT]
    options = given | {"methods": ",".join(methods), "diversities": None, "temperatures": None, "limit": None}
    options |= {"seed": 0, "system": None, "slots": 16}
    plan = planned(None, entry, options, files_of(entry))
    step = max(1, len(plan.prompts) // given["count"])
    plan = replace(plan, prompts=plan.prompts[::step][: given["count"]])
    path = paths.made("state") / f"calibration-{plan.key}.jsonl"
    code = write(plan, entry, path, given, hint="")
    if code:
        return None, code
    found = sweep.read(path)
    path.unlink()
    return found, 0


def calibrated(found: Any) -> dict[str, Any]:
    from functools import partial

    from baco_local.lab.calibration import calibrations
    from baco_local.lab.frontier import frontier
    from baco_local.lab.points import points_of
    from baco_local.lab.relevance import relevance
    from baco_local.lab.vectors import embedder

    if not found.prompts:
        raise UsageProblem("no prompt has all its ideas yet; go on with the sweep")
    scores = {
        (key, *setting): partial(relevance, embedder())(
            prompt, [str(idea["text"]) for idea in found.ideas[key, *setting]]
        )
        for key, prompt in found.prompts.items()
        for setting in found.settings
    }
    points = points_of(found, embedder(), {"relevance": scores})
    return calibrations(points, frontier(points, draws=0))


def lines(measured: dict[str, Any]) -> list[str]:
    said = ["share of base's words at each threshold; * is the best of quality (relevance) and diversity together"]
    for router, one in measured.items():
        places = [
            f"{threshold:g}{'*' if threshold == one.default else ''}: {share:.0%}"
            for threshold, share in zip(one.thresholds, one.shares, strict=True)
        ]
        said.append(f"  {router:<8} " + "   ".join(places))
    return said
