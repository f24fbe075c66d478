"""`baco-local manual`: the manual page, made of the help texts, so that the two never differ."""

import re
from collections.abc import Iterator

import click

from baco_local.cli.examples import examples


@click.command(
    "manual",
    short_help="The manual page: `baco-local manual > baco-local.1; man ./baco-local.1`.",
    epilog=examples("baco-local manual > baco-local.1", "man ./baco-local.1"),
)
@click.pass_context
def command(context: click.Context) -> None:
    """Write the manual page of all commands to stdout, as roff: read it with `baco-local manual > baco-local.1; man ./baco-local.1`, or keep it as
    `baco-local.1` in a folder of your MANPATH.
    """
    whole = context.find_root()
    click.echo("\n".join(page(whole)))


def page(whole: click.Context) -> Iterator[str]:
    from baco_local import __version__
    from baco_local.collaboration.routers import ROUTERS
    from baco_local.paths import folder

    assert isinstance(whole.command, click.Group)
    yield f'.TH BACO\\-LOCAL 1 "" "baco\\-local {__version__}"'
    yield ".SH NAME"
    yield f"baco\\-local \\- {roff(first_line(whole.command))}"
    yield ".SH SYNOPSIS"
    yield ".B baco\\-local\n.I COMMAND\n[options]"
    yield ".SH COMMANDS"
    for name, one in described(whole.command, "baco-local"):
        yield from command_part(name, one)
    yield ".SH ROUTERS"
    for name, router in ROUTERS.items():
        yield f".TP\n.B {roff(name)}\n{roff(router.says)}"
    yield ".SH EXIT STATUS"
    for code, says in CODES.items():
        yield f".TP\n.B {code}\n{roff(says)}"
    yield ".SH FILES"
    for kind, says in FOLDERS.items():
        yield f".TP\n.I {roff(str(folder(kind)))}\n{roff(says)}"
    yield ".SH ENVIRONMENT"
    yield ".TP\n.B BACO_LOCAL_HOME\nmoves all folders under one\n.TP\n.B NO_COLOR\nno colours (base\\(aqs words are underlined at the desk)"


CODES = {
    0: "done",
    1: "writing ideas or the library failed (search: nothing found)",
    2: "usage or configuration",
    3: "a model is missing or can't be read",
    4: "does not fit: memory, or the models' context",
    130: "interrupted; what was written is there",
}
FOLDERS = {
    "config": "config.toml, models.toml: preferences, and pairs of your own",
    "data": "models, and the library",
    "cache": "what is made anew when it is missing",
    "state": "logs, and what is under way",
}


def described(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, those of groups behind the group's own."""
    for name, one in group.commands.items():
        yield f"{before} {name}", one
        if isinstance(one, click.Group):
            yield from described(one, f"{before} {name}")


def command_part(name: str, one: click.Command) -> Iterator[str]:
    context = click.Context(one, info_name=name)
    arguments = " ".join(one.collect_usage_pieces(context))
    yield f".SS {roff(name)} {roff(arguments)}"
    yield roff(" ".join((one.help or one.short_help or "").split()))
    for parameter in one.params:
        if (record := parameter.get_help_record(context)) and record[1]:
            yield f".TP\n.B {roff(record[0])}\n{roff(record[1])}"
    for line in (one.epilog or "").splitlines()[2:]:  # as cli/examples.py makes it
        yield f".PP\n{roff(line.strip())}"


def first_line(one: click.Command) -> str:
    return (one.help or "").split("\n")[0].rstrip(".")


def roff(text: str) -> str:
    """As it stands: nothing in it is a command of roff."""
    plain = (
        re.sub(r"\s+", " ", text).replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    )
    return f"\\&{plain}" if plain.startswith(".") else plain
