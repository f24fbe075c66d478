"""`baco-local star`, `unstar`, `tag`, `note` and `rm`: what a writer decides about what is in the library."""

import click

from baco_local.cli.examples import examples
from baco_local.errors import UsageProblem


@click.command("star", short_help="Mark ideas as ones to keep.", epilog=examples("baco-local star 35b xpa"))
@click.argument("ids", nargs=-1, required=True)
def star(ids: tuple[str, ...]) -> None:
    """Star the ideas IDS. They are found again with `history --starred`, and taken out with `export --starred`."""
    from baco_local.library import Library

    with Library() as library:
        for id in ids:
            library.star(id)


@click.command("unstar", short_help="Take stars back.", epilog=examples("baco-local unstar 35b"))
@click.argument("ids", nargs=-1, required=True)
def unstar(ids: tuple[str, ...]) -> None:
    """Take back the stars of the ideas IDS."""
    from baco_local.library import Library

    with Library() as library:
        for id in ids:
            if not library.unstar(id):
                click.echo(f"{id} had no star", err=True)


@click.command(
    "tag",
    short_help="Tag an idea, or take a tag off.",
    epilog=examples("baco-local tag 35b attic chapter-2", "baco-local tag 35b attic --off"),
)
@click.argument("id")
@click.argument("names", nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Take the tags off.")
def tag(id: str, names: tuple[str, ...], off: bool) -> None:
    """Tag the idea ID with the words NAMES."""
    from baco_local.library import Library

    with Library() as library:
        for name in names:
            if not off:
                library.tag(id, name)
            elif not library.untag(id, name):
                click.echo(f"{id} had no tag {name}", err=True)


@click.command(
    "note", short_help="Write a note on an idea.", epilog=examples("baco-local note 35b too long, but the ending stays")
)
@click.argument("id")
@click.argument("text", nargs=-1, required=True)
def note(id: str, text: tuple[str, ...]) -> None:
    """Add a note to the idea ID; `show` has it below the text."""
    from baco_local.library import Library

    with Library() as library:
        library.note(id, " ".join(text))


@click.command(
    "rm",
    short_help="Put ideas aside, or remove them for good.",
    epilog=examples("baco-local rm xg8", "baco-local rm xg8 --undo"),
)
@click.argument("ids", nargs=-1, required=True)
@click.option("--purge", is_flag=True, help="Remove them for good.")
@click.option("--undo", is_flag=True, help="Bring back what was put aside.")
def rm(ids: tuple[str, ...], purge: bool, undo: bool) -> None:
    """Put aside the ideas, prompts or sessions IDS with all that came of them. They are not listed any more, and come back with --undo."""
    from baco_local.library import Library

    if purge and undo:
        raise UsageProblem("give --purge or --undo, not both")
    with Library() as library:
        counts = [library.restore(id) for id in ids] if undo else library.remove_all(ids, purge=purge)
        for id, count in zip(ids, counts, strict=True):
            what = "back" if undo else "removed for good" if purge else f"put aside; undo: baco-local rm --undo {id}"
            click.echo(f"{id}: {count} {what}", err=True)
