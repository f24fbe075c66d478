"""`baco-local history`, `show` and `search`: what is in the library."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.cli.output import MARK, UNMARK, marked, token_of
from baco_local.errors import UsageProblem
from baco_local.text import to_json

STAR, CROSS = "\u2605 ", "\u2717 "
WIDTH = 72  # characters of a prompt or an idea in a list


@click.command(
    "history",
    short_help="Earlier prompts, newest first.",
    epilog=examples("baco-local history --starred", "baco-local history --since 2026-11-24"),
)
@click.option("-n", "limit", type=click.IntRange(1), default=20, show_default=True, help="How many prompts.")
@click.option("--starred", is_flag=True, help="Only prompts with starred ideas, and these ideas.")
@click.option("--tag", help="Only prompts with ideas of this tag, and these ideas.")
@click.option("--since", help="Only prompts from this day on, as 2026-11-24, or 2026-11-24T18:30.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def history(limit: int, starred: bool, tag: str | None, since: str | None, as_json: bool) -> None:
    """List earlier prompts, newest first: when, how many ideas, and how many of them are starred."""
    from baco_local.library import Library

    with Library() as library:
        if not library.path.exists():
            click.echo("nothing is kept yet; `baco-local ideas` begins the library", err=True)
            return
        for entry in library.history(limit=limit, starred=starred, tag=tag, since=moment(since)):
            ideas = library.ideas(entry.node.id, starred=starred, tag=tag) if starred or tag else []
            if as_json:
                record = {**record_of(entry.node), "ideas": entry.ideas, "starred_ideas": entry.starred}
                if starred or tag:
                    record["marked"] = [record_of(idea) for idea in ideas]
                click.echo(to_json(record))
                continue
            stars = f", {entry.starred} starred" if entry.starred else ""
            count = f"{entry.ideas} idea{'s' * (entry.ideas != 1)}{stars}"
            click.echo(f"{entry.node.id}  {entry.node.created:%Y-%m-%d %H:%M}  {count}  {brief(entry.node.text)}")
            for idea in ideas:
                click.echo(f"  {line_of(idea)}")


@click.command(
    "show",
    short_help="An idea, or a prompt with all its ideas.",
    epilog=examples("baco-local show tpv", "baco-local show 35b --trace"),
)
@click.argument("id")
@click.option("--trace", is_flag=True, help="Who wrote each token, and what the router saw.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text; a line for each of several.")
def show(id: str, trace: bool, as_json: bool) -> None:
    """Show the text of the idea ID, or the tree of the prompt or the session ID. Any beginning of an id will do that
    only one has.
    """
    from baco_local.library import Library

    with Library() as library:
        nodes = tree_of(library, id)
        if as_json:
            for node in nodes:
                record = record_of(node)
                if trace:
                    record["trace"] = [token_of(token) for token in library.trace(node.id)]
                click.echo(to_json(record))
        elif len(nodes) > 1:
            for node, depth in in_order(nodes):
                click.echo("  " * depth + line_of(node))
        elif trace:
            for token in library.trace(nodes[0].id):
                click.echo(trace_line(token))
        else:
            click.echo(text_of(nodes[0], library.trace(nodes[0].id)))
            said = about(nodes[0], [node for node in library.tree(nodes[0].id) if node.parent == nodes[0].id])
            if said:
                click.echo(said, err=True)


@click.command(
    "search",
    short_help="Find words in prompts and ideas.",
    epilog=examples("baco-local search tide moon", "baco-local search '\"high water\"' --starred"),
)
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@click.option("--starred", is_flag=True, help="Only starred ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def search(words: tuple[str, ...], limit: int, starred: bool, as_json: bool) -> int:
    """Find prompts and ideas with all of WORDS, or words that begin so; the best come first. '"In quotes"': one behind
    the other. Exit code 1 where there is nothing.
    """
    from baco_local.library import Library, nodes

    with Library() as library:
        hits = library.search(" ".join(words), limit=limit, starred=starred)
    lit = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for hit in hits:
        if as_json:
            excerpt = hit.excerpt.replace(nodes.MARK, "").replace(nodes.UNMARK, "")
            click.echo(to_json({**record_of(hit.node), "excerpt": excerpt}))
            continue
        excerpt = " ".join(hit.excerpt.split())
        excerpt = excerpt.replace(nodes.MARK, MARK if lit else "").replace(nodes.UNMARK, UNMARK if lit else "")
        click.echo(f"{head_of(hit.node)}{excerpt}")
    return 0 if hits else 1


def moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(f"--since {text}: give a day as 2026-11-24, or a time as 2026-11-24T18:30") from None


def tree_of(library: Any, id: str) -> list[Any]:
    """A prompt with all below it, a session, or one idea with what came of it."""
    try:
        node = library.node(id)
    except UsageProblem:
        return list(library.tree(id))
    return [node, *library.ideas(node.id)] if node.kind == "prompt" else [node]


def in_order(nodes: list[Any]) -> Iterator[tuple[Any, int]]:
    """Each node, followed by what came of it; and how deep it is."""
    below: dict[str | None, list[Any]] = {}
    there = {node.id for node in nodes}
    for node in nodes:
        below.setdefault(node.parent if node.parent in there else None, []).append(node)
    waiting = [(node, 0) for node in reversed(below.get(None, []))]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(below.get(node.id, []))]


def record_of(node: Any) -> dict[str, Any]:
    """A node, as scripts see it."""
    return {
        "id": node.id,
        "session": node.session,
        "parent": node.parent,
        "kind": node.kind,
        "created": node.created.isoformat(timespec="seconds"),
        "text": node.text,
        "kept": node.kept,
        "pair": node.origin.get("pair"),
        "router": node.origin.get("options", {}).get("router"),
        "threshold": node.threshold,
        "moves": [list(move) for move in node.moves],
        "seed": node.seed,
        "tokens": node.tokens,
        "base_share": None if node.base_share is None else round(node.base_share, 4),
        "seconds": node.seconds,
        "stop": node.stop,
        "starred": node.starred,
        "rejected": node.rejected,
        "tags": list(node.tags),
        "notes": list(node.notes),
    }


def head_of(node: Any) -> str:
    mark = STAR if node.starred else CROSS if node.rejected else ""
    return f"{node.id}  {mark}"


def line_of(node: Any) -> str:
    """One line of a list; a branch or an edit shows its own part."""
    text = node.text if node.kind in ("prompt", "variant") else f"… {node.own.strip()}"
    more = "".join(f" #{tag}" for tag in node.tags) + (" (note)" if node.notes else "")
    unfinished = " (being written)" if node.stop is None else ""
    return f"{head_of(node)}{brief(text) or '(nothing written)'}{more}{unfinished}"


def brief(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDTH else flat[: WIDTH - 1] + "…"


def text_of(node: Any, trace: Any) -> str:
    if trace and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return marked(trace)
    return str(node.text)


def about(node: Any, below: list[Any]) -> str:
    """What is known of an idea and what came of it, for people."""
    facts = [node.kind, f"{node.created:%Y-%m-%d %H:%M}", node.origin.get("pair")]
    if node.tokens is not None:
        router = node.origin.get("options", {}).get("router")
        facts += [f"{node.tokens} tokens", f"{100 * (node.base_share or 0):.0f} % by base"]
        facts += [router if node.threshold is None else f"{router} {node.threshold:g}", f"seed {node.seed}", node.stop]
    facts += [f"from {node.parent}" if node.parent else None, "starred" if node.starred else None]
    facts += [f"#{tag}" for tag in node.tags]
    lines = [", ".join(str(fact) for fact in facts if fact), *(f"note: {note}" for note in node.notes)]
    return "\n".join([*lines, *(f"{child.kind}: {line_of(child)}" for child in below)])


def trace_line(token: Any) -> str:
    seen = "" if token.base_top_p is None else f"  base's best {token.base_top_p:.3f}, entropy {token.base_entropy:.2f}"
    return f"{token.speaker:<8}{token.p:.3f}  {token.piece!r}{'' if not token.routed else seen or '  routed'}"
