"""`baco-local more` and `baco-local branch`: on from what is in the library, as it was made unless said otherwise."""

from collections.abc import Mapping
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.cli.options import chosen
from baco_local.cli.origin import taken_over
from baco_local.cli.writing import of_a_run, run
from baco_local.errors import UsageProblem
from baco_local.origin import files_of


@click.command(
    "more",
    short_help="More ideas for an earlier prompt.",
    epilog=examples("baco-local more tpv -n 8", "baco-local more tpv --diversity 0.8"),
)
@click.argument("id")
@of_a_run("the one that it was written with")
@click.pass_context
def more(context: click.Context, /, id: str, **given: Any) -> int:
    """Write more ideas for the prompt ID, or the prompt of the idea ID, with the pair and the settings that it was written
    with; every option given here takes their place.
    """
    from baco_local.library import Library

    with Library() as library:
        node = library.node(id)
        prompt = library.prompt_of(node)
    origin = node.origin or prompt.origin
    given = taken_over(context, given, origin)
    entry = chosen(given)
    tell_changes(entry, origin)
    return run(given, entry, prompt.text, below=prompt.id)


@click.command(
    "branch",
    short_help="Go on from an earlier idea, or from a place in it.",
    epilog=examples("baco-local branch 35b -n 4", 'baco-local branch 35b --at "craft of a" --diversity 0.8'),
)
@click.argument("id")
@click.option("--at", help="Keep so many tokens, or the text up to and with these words.  [default: all of it]")
@of_a_run("the one that it was written with")
@click.pass_context
def branch(context: click.Context, /, id: str, at: str | None, **given: Any) -> int:
    """Write ideas that begin as the idea ID does, and go on from the place --at in ways of their own, with the pair and the
    settings that it was written with; every option given here takes their place.
    """
    from baco_local.library import Library

    with Library() as library:
        node = library.node(id)
        prompt, trace = library.prompt_of(node), library.trace(node.id)
    if not trace:
        raise UsageProblem(
            f"{node.id}: how it was written is not known ({'a prompt' if node.kind == 'prompt' else 'an edit, or cut off by a crash'}), "
            f"so nothing can go on from it exactly\nmore ideas for its prompt: baco-local more {prompt.id}"
        )
    given = taken_over(context, given, node.origin)
    kept = trace[: place(node, trace, at)]
    entry = chosen(given)
    tell_changes(entry, node.origin)
    return run(given, entry, prompt.text, kept=kept, below=node.id, shown=prompt.id)


def tell_changes(entry: Any, origin: Mapping[str, Any]) -> None:
    """A model that has changed since writes in another way, and may not even know the kept tokens."""
    before, now = origin.get("files", {}), files_of(entry)
    for side in before.keys() & now.keys():
        for key in ("size", "sha256"):
            one, two = before[side].get(key), now[side].get(key)
            if one and two and one != two:
                click.echo(f"note: {now[side]['path']} is another file than the one that wrote this", err=True)
                break


def place(node: Any, trace: Any, at: str | None) -> int:
    """How many tokens are kept. Raises UsageProblem for a place that the idea doesn't have."""
    if at is None:
        return len(trace)
    if at.isdecimal():
        if not 1 <= int(at) <= len(trace):
            raise UsageProblem(f"--at {at}: {node.id} has {len(trace)} tokens; give 1 to {len(trace)}")
        return int(at)
    found = node.text.find(at)
    if found < 0 or not at:
        raise UsageProblem(f"--at {at!r}: {node.id} does not say that; `baco-local show {node.id}` shows what it says")
    end, length = found + len(at), 0
    for count, token in enumerate(trace):
        before, length = length, length + len(token.piece)
        if length == end:
            return count + 1
        if length > end:
            if not before:
                raise UsageProblem(f"--at {at!r}: ends inside the first token; give a longer text")
            said = f"note: {at!r} ends inside a token, so what is kept ends before it: …{node.text[:before][-30:]!r}"
            click.echo(said, err=True)
            return count
    return len(trace)
