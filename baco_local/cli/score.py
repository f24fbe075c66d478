"""`baco-local score`: how diverse a list of texts is."""

from pathlib import Path
from typing import IO

import click

from baco_local.cli.examples import examples
from baco_local.text import to_json


@click.command(
    "score",
    short_help="How diverse a list of texts is.",
    epilog=examples("baco-local score ideas.txt", 'baco-local ideas "Names for a boat" --jsonl | baco-local score -'),
)
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("--lexical", "only_lexical", is_flag=True, help="Only metrics of words, which need nothing installed.")
def command(file: IO[str], as_json: bool, only_lexical: bool) -> None:
    """Score the texts in FILE (- for stdin): one a line, or JSON lines with `text`, as `ideas --jsonl` writes them. Texts of
    several prompts are scored for each, and the mean is given.
    """
    from baco_local.lab.scoring import score, texts_of

    groups = texts_of(file, Path(file.name).name)
    found = score(groups, semantic=not only_lexical)
    if as_json:
        click.echo(to_json(found.record()))
        return
    many = f", the mean of {len(groups)} prompts" if len(groups) > 1 else ""
    click.echo(f"{sum(map(len, groups.values()))} texts{many}")
    for name, value in found.metrics.items():
        better = "more is more diverse" if found.more[name] else "less is more diverse"
        click.echo(f"  {name:<15}{shown(value)}  {better}")
    click.echo(f"  words: lower case, without punctuation; vectors: {found.vectors or 'none'}")


def shown(value: float | None) -> str:
    return f"{value:8.3f}" if value is not None else "       -"
