"""`baco-local tui`: the writing desk. The only command that needs Textual, which it loads late."""

import os
import sys
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.cli.options import chosen, of_a_pair
from baco_local.errors import UsageProblem


@click.command(
    "tui",
    short_help="The writing desk: ideas side by side, with a knob.",
    epilog=examples("baco-local", "baco-local tui --pair qwen3-0.6b"),
)
@of_a_pair("config.toml's, or starter")
@click.option(
    "--threads", type=click.IntRange(1, 512), help="CPU threads.  [default: config.toml's, or the physical cores]"
)
@click.option("--plain", is_flag=True, help="No borders and nothing that moves, for screen readers.")
def command(**given: Any) -> int:
    """Open the writing desk on this terminal: many ideas grow side by side, and one knob changes them while they grow.

    Defaults, colours and keys are set in config.toml, in the table [tui].
    """
    return opened_desk(given)


def opened_desk(given: dict[str, Any]) -> int:
    if not at_a_terminal():
        raise UsageProblem('the desk needs a terminal; without one: baco-local ideas "PROMPT"')
    from baco_local import preferences
    from baco_local.tui.start import start

    if not any(given.get(side) for side in ("base", "aligned", "lora", "same")):
        given["pair"] = given.get("pair") or preferences.read().desk.pair
    return int(start(chosen(given), given))


def at_a_terminal() -> bool:
    """One that can do more than print lines."""
    streams = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return streams and os.environ.get("TERM") != "dumb"
