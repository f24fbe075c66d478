"""`baco-local export`, `import` and `backup`: the library's ideas elsewhere, and back."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from baco_local import paths
from baco_local.cli.examples import examples
from baco_local.cli.history import moment
from baco_local.errors import DamagedLibrary, LibraryProblem, UsageProblem
from baco_local.text import to_json

MOST = 10**9  # prompts: all of them


@click.command(
    "export",
    short_help="Ideas as Markdown, plain text or JSON lines.",
    epilog=examples("baco-local export --starred -o starred.md", "baco-local export --format jsonl > everything.jsonl"),
)
@click.argument("ids", nargs=-1)
@click.option("--starred", is_flag=True, help="Only starred ideas.")
@click.option("--tag", help="Only ideas with this tag.")
@click.option("--since", help="Only prompts from this day on, as 2026-11-24.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "txt", "jsonl"]),
    default="md",
    show_default=True,
    help="md and txt are for reading; jsonl holds everything, for `import`.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
def export(
    ids: tuple[str, ...], starred: bool, tag: str | None, since: str | None, form: str, output: Path | None
) -> None:
    """Write out the prompts IDS with their ideas, or the whole library. A file is only replaced when everything is written."""
    from baco_local.library import Library

    with Library() as library:
        try:
            with written_to(output) as file:
                for prompt in prompts(library, ids, starred, tag, since):
                    file.write(exported(library, prompt, starred, tag, form).encode("utf-8", "replace"))
        except DamagedLibrary:
            if form != "jsonl" or ids or starred or tag or since or output is None:
                raise
            salvage(library, output.with_name(f"{output.name}.salvaged"))  # an older export is worth more than this


def salvage(library: Any, output: Path) -> None:
    """Of a damaged library, what can be read. Raises LibraryProblem, saying how much could not."""
    lost = 0
    with written_to(output) as file:
        for row in library.salvage():
            lost += row is None
            if row:
                file.write((to_json(row) + "\n").encode("utf-8", "replace"))
    raise LibraryProblem(
        f"{library.path}: is damaged: {lost} of its nodes could not be read; {output} has all others\n"
        f"then: baco-local backup --restore BACKUP, or move the library away, and: baco-local import {output}"
    )


def prompts(library: Any, ids: tuple[str, ...], starred: bool, tag: str | None, since: str | None) -> list[Any]:
    """Oldest first."""
    if ids:
        return list({node.id: node for node in (library.prompt_of(library.node(id)) for id in ids)}.values())
    found = library.history(limit=MOST, starred=starred, tag=tag, since=moment(since))
    return [entry.node for entry in reversed(found)]


def exported(library: Any, prompt: Any, starred: bool, tag: str | None, form: str) -> str:
    from baco_local.library.exchange import written

    page = written(library, prompt, library.ideas(prompt.id, starred=starred, tag=tag), form)
    return page if form == "jsonl" else page + "\n"


@contextlib.contextmanager
def written_to(path: Path | None) -> Iterator[BinaryIO]:
    """stdout, a device or a pipe, or a file that appears in its place when it is whole, readable by its owner."""
    if path is None or str(path) == "/dev/stdout":
        yield sys.stdout.buffer
        return
    if path.is_dir():
        raise UsageProblem(f"{path}: is a folder; give a file to write to")
    paths.demand_not_ours(path)
    part = None
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = path.resolve()
        part = paths.part_of(target)
        with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, paths.mode_of(target)), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        paths.replace(part, target)
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    finally:
        if part:
            part.unlink(missing_ok=True)


@click.command(
    "import",
    short_help="Take in what `export --format jsonl` wrote.",
    epilog=examples("baco-local import everything.jsonl"),
)
@click.argument("file", type=click.Path(path_type=Path))
def read(file: Path) -> None:
    """Take the ideas of FILE into the library; those that are there already stay as they are."""
    from baco_local.library import Library

    try:
        with Library() as library, file.open(encoding="utf-8-sig") as lines:
            new, there = library.read(lines, str(file))
    except UnicodeDecodeError:
        raise UsageProblem(f"{file}: is not UTF-8 text, so it is no export") from None
    except OSError as error:
        raise UsageProblem(f"{file}: can't be read ({error.strerror})") from None
    click.echo(f"{new} taken in, {there} were there already", err=True)


@click.command(
    "backup",
    short_help="A whole copy of the library in one file.",
    epilog=examples("baco-local backup ideas-2026.db", "baco-local backup --restore ideas-2026.db"),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--restore", is_flag=True, help="The other way: put the copy FILE in the library's place.")
def backup(file: Path, restore: bool) -> None:
    """Copy the library to FILE, which must not be there yet; others may go on writing meanwhile."""
    from baco_local.library import Library, store

    if restore:
        old = store.restore(store.default_path(), file)
        click.echo(f"{file} is the library now" + (f"; the old one is {old}" if old else ""), err=True)
        return
    with Library() as library:
        library.backup(file)
        click.echo(
            f"{file}: {file.stat().st_size / 1e6:.1f} MB; to go back to it: baco-local backup --restore {file}",
            err=True,
        )
