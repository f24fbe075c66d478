"""`baco-local rate`: which of two settings' ideas you prefer, without knowing which is which."""

import sys
from pathlib import Path
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.errors import UsageProblem
from baco_local.text import clean, to_json

ANSWERS = {"1": 1, "2": -1, "0": 0}
ASKED = {
    "quality": "Which are better?",
    "diversity": "Which differ more among themselves?",
    "creativity": "Which are more creative?",
}


@click.command(
    "rate",
    short_help="Compare two settings of a sweep blindly, and see which you prefer.",
    epilog=examples(
        "baco-local rate mine.jsonl p-punc=0.4 aligned=1", "baco-local rate mine.jsonl p-punc=0.4 aligned=1 --results"
    ),
)
@click.argument("sweep_file", metavar="SWEEP", type=click.Path(path_type=Path))
@click.argument("one")
@click.argument("two")
@click.option(
    "--ideas", type=click.IntRange(1, 100), default=4, show_default=True, help="Ideas of each that are shown."
)
@click.option("--limit", type=click.IntRange(1), help="Only so many prompts now.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which are shown first, and in which order.")
@click.option("--results", is_flag=True, help="Ask nothing: only what the answers so far come to.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object of the results.")
def command(sweep_file: Path, one: str, two: str, **given: Any) -> None:
    """Show ideas of two settings of SWEEP side by side, prompt by prompt, and ask which are better, more diverse and more creative:
    1, 2, or 0 for no difference; s skips a prompt, q ends. ONE and TWO are settings as in p-punc=0.4, or a method alone.
    Answers are kept in the library at once; the next time it goes on with what is open.
    """
    from baco_local.lab import rating, swept
    from baco_local.library import Library

    compared = rating.comparison(swept.read(sweep_file), one, two, given["ideas"], given["seed"])
    if not compared.pairings:
        raise UsageProblem(f"{sweep_file}: no prompt has all its ideas yet; go on with the sweep")
    with Library() as library:
        if not given["results"]:
            ask_all(library, compared, given["limit"])
        answers = library.ratings(compared.name) if library.path.exists() else []
    names = [rating.name_of(setting) for setting in (compared.one, compared.two)]
    found = rating.preferences(answers)
    if given["as_json"]:
        record = {"one": names[0], "two": names[1], "questions": {key: value.record() for key, value in found.items()}}
        click.echo(to_json(record))
        return
    click.echo(clean("\n".join(lines(names, found))))


def lines(names: list[str], found: dict[str, Any]) -> list[str]:
    said = [f"{names[0]} against {names[1]}: how often the first is preferred, no difference counting half"]
    for question, one in found.items():
        if one.one + one.two + one.neither:
            said.append(
                f"  {question:<11}{one.share:4.0%}  ({one.low:.0%} to {one.high:.0%})  {one.one} for {names[0]}, "
                f"{one.two} for {names[1]}, {one.neither} for neither"
            )
        else:
            said.append(f"  {question:<11}no answers yet")
    return said


def ask_all(library: Any, compared: Any, limit: int | None) -> None:
    from baco_local.lab import rating
    from baco_local.library.rating import Rating

    answers = library.ratings(compared.name) if library.path.exists() else []
    left = list(rating.unanswered(compared, answers))[:limit]
    for number, (pairing, questions) in enumerate(left, 1):
        show(pairing, f"prompt {number} of {len(left)}")
        for question in questions:
            answer = ask(question)
            if answer is None:
                return
            if answer == "s":
                break
            kept = ANSWERS[answer] * (-1 if pairing.swapped else 1)
            one, two = rating.name_of(compared.one), rating.name_of(compared.two)
            given = Rating(compared.name, pairing.key, one, two, question, kept)
            library.rate(given, [pairing.one, pairing.two])


def ask(question: str) -> str | None:
    """1, 2, 0, = or s; None for an end."""
    while True:
        click.echo(f"{ASKED[question]} [1/2/0 no difference, s skip, q quit] ", nl=False, err=True)
        line = sys.stdin.readline() if sys.stdin else ""
        answer = line.strip().lower()
        if not line or answer == "q":
            return None
        if answer in ANSWERS or answer == "s":
            return answer
        click.echo("type 1, 2, 0, s or q", err=True)


def show(pairing: Any, heading: str) -> None:
    """Both sets, side by side."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    sets = (pairing.two, pairing.one) if pairing.swapped else (pairing.one, pairing.two)
    table = Table(show_lines=True, expand=True)
    for number in ("1", "2"):
        table.add_column(number, ratio=1)
    for left, right in zip(*sets, strict=True):
        table.add_row(*(Text(clean(text) or "(nothing)") for text in (left, right)))
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=False)
    console.print()
    console.print(Text(f"{heading}: {clean(pairing.prompt)}", style="bold"))
    console.print(table)
