"""`baco-local models`: which pairs there are, what one is, and adding a pair of one's own."""

import json
from typing import Any

import click

from baco_local import text
from baco_local.cli.examples import examples
from baco_local.cli.options import chosen, of_files
from baco_local.errors import UsageProblem
from baco_local.text import to_json


@click.group(
    "models",
    invoke_without_command=True,
    short_help="List pairs, look at one, add your own.",
    epilog=examples("baco-local models", "baco-local models show qwen3-0.6b"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the pairs of the catalogue: for whom, licence, size, memory with 8 and 16 ideas at once, and what to
    type for those that are not here yet.
    """
    if context.invoked_subcommand:
        if as_json:
            raise UsageProblem(
                f"--json goes behind the command: baco-local models {context.invoked_subcommand} … --json"
            )
        return
    from baco_local.catalog.reading import read_catalog, user_file
    from baco_local.checkup.describe import summary
    from baco_local.checkup.engine import free_memory

    listed = [summary(pair) for pair in read_catalog().pairs.values()]
    free = free_memory()
    if as_json:
        click.echo(json.dumps({"catalogue": str(user_file()), "available": free, "pairs": listed}, ensure_ascii=False))
        return
    for pair in listed:
        say(f"{pair['name']}: {state(pair)}")
        say(f"  {pair['title']}{', for ' if pair['for'] else ''}{pair['for']}")
        gate = " (to be accepted at the hub)" if pair["gated"] else ""
        say(f"  {'; '.join(filter(None, [sizes(pair), fitting(pair, free), crossing(pair), pair['licence'] + gate]))}")
    if not all(pair["ready"] for pair in listed):
        say("get one with: baco-local pull NAME; more about one: baco-local models show NAME")
    say(f"your own pairs go into {user_file()}: baco-local models add NAME --base … --aligned …")


@command.command(
    "show",
    short_help="What a pair is, and whether it will run here.",
    epilog=examples(
        "baco-local models show starter", "baco-local models show --base base.gguf --aligned instruct.gguf"
    ),
)
@click.argument("name", required=False)
@of_files
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def show(name: str | None, as_json: bool, **given: Any) -> None:
    """Show the pair NAME, or that of the files given: architecture, size, quantisation, context, chat template and
    licence of each model, whether their vocabularies agree, and the memory they take, without loading them.
    """
    from baco_local.catalog.entries import GIVEN
    from baco_local.checkup.describe import details, summary

    entry = chosen({"pair": name, **given})
    found = summary(entry)
    if entry.ready or entry.origin == GIVEN or own(found):
        found |= details(entry)
    if as_json:
        click.echo(to_json(found))
        return
    say(f"{found['name']}: {state(found)}")
    for key, said in (
        ("", found["title"]),
        ("for: ", found["for"]),
        ("licence: ", found["licence"]),
        ("settings: ", ", ".join(f"{key} {value}" for key, value in found["settings"].items())),
    ):
        if said:
            say(f"  {key}{said}")
    for side, file in found["files"].items():
        say(f"  {side}: {file['path']}{'' if file['present'] else ', not here yet'}")
        if model := found.get("models", {}).get(side):
            say(f"    {described(model)}")
        else:
            say(f"    from {', '.join(file['source'])}")
    if "vocabulary" in found:
        say(f"  vocabulary: {agreement(found['vocabulary'])}")
    say(f"  {sizes(found)}{at_once(found)}")
    for warning in found.get("warnings", ()):
        say(f"  note: {warning}")
    if not found["ready"] and not own(found):
        say(f"  get it with: baco-local pull {found['name']}")


@command.command(
    "add",
    short_help="Put a pair of your own into the catalogue.",
    epilog=examples(
        "baco-local models add mine --base base.gguf --aligned instruct.gguf",
        "baco-local models add far --base hf:OWNER/REPO/FILE.gguf --aligned hf:OWNER/REPO/FILE.gguf",
    ),
)
@click.argument("name")
@click.option("--base", help="The base model: a GGUF file, or hf:OWNER/REPO/FILE@REVISION.")
@click.option("--aligned", help="Its aligned sibling, likewise.")
@click.option("--lora", help="An adapter over the base as the aligned side, likewise.")
@click.option("--same", help="One model as both, likewise.")
@click.option("--title", help="What it is.  [default: the models' names]")
@click.option("--licence", help="Its licences.  [default: as the files say]")
@click.option("--for", "whom", default="", help="For whom it is.")
@click.option("--same-vocabulary", is_flag=True, help="Refuse models that do not share a vocabulary.")
@click.option("--replace", is_flag=True, help="Take the place of a pair of that name.")
def add(name: str, **given: Any) -> None:
    """Add the pair NAME to your own catalogue, with the size and the checksum of files that are here, so that
    another file in their place is noticed.
    """
    from baco_local.catalog.adding import added
    from baco_local.catalog.reading import user_file

    sides = {side: given.pop(side) for side in ("base", "aligned", "lora", "same")}
    entry, notes = added(name, sides, **given)
    for note in notes:
        say(f"note: {note}", err=True)
    say(f"{entry.name} is in {user_file()}", err=True)
    after = f'baco-local ideas --pair {name} "A title for a novel about tides"'
    say(f"try: {after}" if entry.ready else f"get it with: baco-local pull {name}", err=True)


@command.command(
    "remove", short_help="Take a pair out of your own catalogue.", epilog=examples("baco-local models remove mine")
)
@click.argument("name")
def remove(name: str) -> None:
    """Take the pair NAME out of your own catalogue. Its files stay where they are."""
    from baco_local.catalog import writing
    from baco_local.catalog.reading import read_catalog, user_file

    entry = read_catalog().pair(name)
    if entry.origin != user_file():
        raise UsageProblem(f"{name} is one of the shipped pairs, and not in {user_file()}")
    writing.remove("pairs", name)
    if entry.calibrations:
        writing.remove("calibrations", name)  # of other models than the next of this name
    for file in entry.files.values():
        if file.present:
            say(f"left where it is: {file.path}", err=True)


def say(line: str, err: bool = False) -> None:
    """Paths and names are told as they are, but for what would move a cursor."""
    click.echo(text.clean(line), err=err)


def state(pair: dict[str, Any]) -> str:
    if pair["ready"]:
        return "ready"
    if pair["problem"]:
        return f"can't be used: {pair['problem']}"
    if own(pair):
        missing = [file["path"] for file in pair["files"].values() if not file["present"]]
        return f"{', '.join(missing)}: no such file; correct it in {pair['origin']}"
    untried = ", not tried by the authors" if pair["shipped"] and not pair["checked"] else ""
    return f"not here yet{untried}"


def own(pair: dict[str, Any]) -> bool:
    """Are its missing files the user's own? Then there is nothing to pull."""
    missing = [file for file in pair["files"].values() if not file["present"]]
    return any(source.startswith("file:") for file in missing for source in file["source"])


def gigabytes(size: int | None) -> str:
    return text.gigabytes(size) if size else "?"


def sizes(pair: dict[str, Any]) -> str:
    exact = all(file["size"] or file["present"] for file in pair["files"].values())
    said = f"{'' if exact else 'about '}{gigabytes(pair['size'])} of files"
    if pair["memory"]:
        said += f", memory {' or '.join(gigabytes(size) for size in pair['memory'].values())} with {' or '.join(pair['memory'])} ideas"
    return said


def crossing(pair: dict[str, Any]) -> str:
    if pair["form"] != "two files":
        return "one copy of the weights"
    return {True: "one vocabulary", False: "two vocabularies", None: ""}[pair["shared_vocabulary"]]


def fitting(pair: dict[str, Any], free: int | None) -> str:
    return (
        "too large for the memory that is free"
        if free and pair["memory"] and min(pair["memory"].values()) > free
        else ""
    )


def at_once(found: dict[str, Any]) -> str:
    if not found.get("available"):
        return ""
    said = f"; {gigabytes(found['available'])} are free here: "
    return said + (f"up to {found['at_once']} ideas at once" if found["at_once"] else "it does not fit")


def described(model: dict[str, Any]) -> str:
    parts = [model["name"], model["architecture"], f"{model['parameters'] / 1e6:,.0f} M parameters"]
    parts += [model["quantisation"], f"{model['size'] / 1e6:,.0f} MB"]
    if model["kind"] == "model":
        parts += [f"context {model['context']:,}", f"vocabulary {model['vocabulary']:,} ({model['tokenizer']})"]
        parts.append("with a chat template" if model["chat_template"] else "no chat template")
    return ", ".join([*parts, f"licence {model['licence']}"])


def agreement(found: dict[str, Any]) -> str:
    if found["kind"] == "same":
        return "one, token ids pass across"
    shown = "; ".join(f"{one['id']}: {one['base']!r} and {one['aligned']!r}" for one in found["first"])
    passes = "token ids" if found["kind"] == "compatible" else "text"
    return f"{found['kind']}, {found['differing']:,} tokens differ ({shown}): {passes} passes across".replace(
        "ids passes", "ids pass"
    )
