"""`baco-local doctor`: everything a bug report needs, with a verdict per line and the command that mends it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.text import to_json


@click.command(
    "doctor",
    short_help="Check versions, hardware, folders and pairs.",
    epilog=examples("baco-local doctor", "baco-local doctor --json > report.json"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(as_json: bool) -> None:
    """Show versions, how llama.cpp was built, the machine, the folders and every pair that is here, each line
    with a verdict: ok, slow (it could be faster) or missing (something does not work), and what mends it.
    """
    found = examine()
    if as_json:
        record = {
            title: {
                line.name: {key: value for key, value in dataclasses.asdict(line).items() if key != "name"}
                for line in lines
            }
            for title, lines in found.items()
        }
        click.echo(to_json(record))
        return
    for title, lines in found.items():
        click.echo(title)
        for line in lines:
            click.echo(f"  {line.verdict:<8}{line.name}: {line.said}")
            if line.mend:
                click.echo(f"          mend it: {line.mend}")


def examine() -> dict[str, list[Any]]:
    """Lines by section."""
    from baco_local.checkup import engine, library, machine, pairs

    sections: dict[str, Callable[[], list[Any]]] = {
        "program": engine.program,
        "llama.cpp": engine.llama_cpp,
        "machine": machine.lines,
        "folders": machine.folders,
        "pairs": pairs.lines,
        "library": library.lines,
        "terminal": machine.terminal,
        "offline": pairs.offline,
    }
    return {title: survived(section) for title, section in sections.items()}


def survived(section: Callable[[], list[Any]]) -> list[Any]:
    """Whatever is broken, the others are still told."""
    from baco_local.checkup.line import MISSING, Line
    from baco_local.errors import Problem

    try:
        return section()
    except (Problem, OSError) as problem:
        said, *after = str(problem).split("\n")
        return [Line("problem", said, MISSING, after[0] if after else "see the message")]
