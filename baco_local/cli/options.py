"""Options that several commands share, and what they open."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]
A_FILE = click.Path(path_type=Path, readable=False)


def of_files(command: Command) -> Command:
    """Files that make a pair without a catalogue."""
    return with_options(
        command,
        (
            click.option("--base", type=A_FILE, help="GGUF file of a base model, instead of --pair."),
            click.option("--aligned", type=A_FILE, help="GGUF file of its aligned sibling."),
            click.option(
                "--lora",
                type=A_FILE,
                help="Adapter (GGUF) over --base as the aligned side: the weights are loaded once.",
            ),
            click.option("--same", type=A_FILE, help="One GGUF file as both: with its chat template, and without."),
        ),
    )


def of_a_pair(default: str = "starter") -> Callable[[Command], Command]:
    """Which pair to load, and onto what. default: which one is taken where none is named, in words."""
    return functools.partial(
        with_options,
        options=(
            click.option("--pair", help=f"A pair of the catalogue (`baco-local models`).  [default: {default}]"),
            of_files,
            click.option("--gpu-layers", type=int, help="Layers to put on a GPU.  [default: all, where there is one]"),
            click.option(
                "--cache-type",
                type=click.Choice(["f16", "q8_0"]),
                default="f16",
                show_default=True,
                help="How the models keep what they have read; q8_0 takes half the memory.",
            ),
            click.option("--same-vocabulary", is_flag=True, help="Refuse models that do not share a vocabulary."),
            click.option("--force", is_flag=True, help="Try it even if memory will probably not do."),
        ),
    )


def with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """They are listed in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command


def chosen(given: dict[str, Any]) -> Any:
    """The catalogue's entry, or one of the files given. Raises UsageProblem for both, or for neither being right."""
    from baco_local.catalog.given import given_entry
    from baco_local.catalog.reading import read_catalog
    from baco_local.errors import UsageProblem

    entry = given_entry(given["base"], given["aligned"], given["lora"], given["same"])
    if entry and given["pair"]:
        raise UsageProblem(f"give --pair {given['pair']} or files, not both")
    return entry or read_catalog().pair(given["pair"] or "starter")


def opened(given: dict[str, Any], entry: Any, threads: int | None, request: Any) -> Any:
    """The pair, loaded. request: refused beforehand where memory would not do, unless --force."""
    from baco_local.pair import open_entry

    return open_entry(
        entry,
        gpu_layers=given["gpu_layers"],
        threads=threads,
        cache_type=given["cache_type"],
        same_vocabulary=given["same_vocabulary"],
        request=None if given["force"] else request,
    )
