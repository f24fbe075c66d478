"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def of_a_pair(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which pair to load, and onto what."""
    for option in (
        click.option("--gpu-layers", type=int, help="Layers to put on a GPU.  [default: all, where there is one]"),
        click.option("--aligned", type=click.Path(path_type=Path), help="GGUF file of its aligned sibling."),
        click.option("--base", type=click.Path(path_type=Path), help="GGUF file of a base model, instead of --pair."),
        click.option(
            "--pair", default="starter", show_default=True, help="A pair of the catalogue (`baco-local models`)."
        ),
    ):
        command = option(command)
    return command
