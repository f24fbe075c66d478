"""`baco-local pull`: gets a pair's model files; the desk does the same when a pair is chosen there; nothing else opens a network connection."""

import sys
import time
from typing import Any

import click

from baco_local.cli.examples import examples


@click.command(
    "pull",
    short_help="Download a pair's model files.",
    epilog=examples("baco-local pull", "baco-local pull qwen3-0.6b"),
)
@click.argument("name", default="starter")
def command(name: str) -> None:
    """Download the model files of the pair NAME (default: starter), and verify them.

    Interrupted downloads go on where they were; files that are here and intact are left alone.
    """
    from baco_local.catalog.pull import pull
    from baco_local.catalog.reading import read_catalog

    entry = read_catalog().pair(name)
    pull(entry, Bar() if sys.stderr is not None and sys.stderr.isatty() else Lines())
    click.echo(f'{name} is ready; try: baco-local ideas --pair {name} "A title for a novel about tides"', err=True)


class Bar:
    """A progress bar with sizes, speed and time left, on a terminal's stderr."""

    def __init__(self) -> None:
        self.bar: Any = None

    def say(self, line: str) -> None:
        click.echo(line, err=True)

    def begin(self, label: str, total: int | None) -> None:
        from rich import progress
        from rich.console import Console

        columns = [
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        ]
        self.bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        self.bar.add_task(label, total=total)
        self.bar.start()

    def at(self, done: int) -> None:
        self.bar.update(self.bar.task_ids[0], completed=done)

    def end(self) -> None:
        self.bar.stop()


class Lines:
    """The same as a line every few seconds, for logs and pipes."""

    EVERY = 5.0  # seconds

    def say(self, line: str) -> None:
        click.echo(line, err=True)

    def begin(self, label: str, total: int | None) -> None:
        self.label, self.total = label, total
        self.started = self.said = time.monotonic()
        self.before: int | None = None  # bytes that an earlier pull has brought: no measure of the speed

    def at(self, done: int) -> None:
        now = time.monotonic()
        self.before = done if self.before is None else min(self.before, done)
        if now - self.said < self.EVERY:
            return
        self.said = now
        size = f"{done / 1e6:,.0f}" + (f" of {self.total / 1e6:,.0f}" if self.total else "")
        came = done - self.before
        left = (self.total - done) * (now - self.started) / came if self.total and came else 0
        click.echo(f"{self.label}: {size} MB" + (f", {left:.0f} s left" if left > 0 else ""), err=True)

    def end(self) -> None:
        pass
