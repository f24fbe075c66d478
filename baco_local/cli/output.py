"""Where a command's words go: data to stdout or a file, narration to stderr, a status line on a terminal."""

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import click

from baco_local import paths
from baco_local.errors import UsageProblem
from baco_local.text import to_json

MARK, UNMARK = "\x1b[4;36m", "\x1b[0m"  # underlined and cyan: visible without colours too
CLEAR = "\r\x1b[2K"
INTERVAL = 0.2  # seconds between two status lines


class Output:
    """Data goes to stdout, or with a path to a hidden file beside it, which takes its place at the end (also
    of an interrupted run). `marks`: are base's words marked?"""

    def __init__(self, path: Path | None, quiet: bool, total: int) -> None:
        if path and str(path) == "/dev/stdout":
            path = None
        system = os.name != "nt" and path is not None and path.parts[:2] in (("/", "dev"), ("/", "proc"))
        try:
            path = path.resolve() if path and not system else path  # a link stays, its target is replaced
        except (OSError, RuntimeError) as error:
            raise UsageProblem(f"{path}: can't be written ({error})") from None
        self.path, self.quiet, self.total = path, quiet, total
        regular = (
            path and not system and (path.is_file() or not path.exists())
        )  # a device or a fifo is written to as it is
        self.part = paths.part_of(path) if path and regular else None
        self.file: BinaryIO = sys.stdout.buffer
        self.marks = not path and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.live = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self.tokens = self.done = 0
        self.started = self.shown = 0.0

    def __enter__(self) -> "Output":
        if self.path:
            if self.path.is_dir():
                raise UsageProblem(f"{self.path}: is a folder; give a file to write to")
            paths.demand_not_ours(self.path)
            try:
                if self.part:
                    self.file = os.fdopen(
                        os.open(self.part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, paths.mode_of(self.path)), "wb"
                    )
                else:
                    self.file = self.path.open("ab")
            except OSError as error:
                raise UsageProblem(f"{self.path}: can't be written ({error.strerror})") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.status("")
        if self.path:
            self.file.close()
        if self.path and self.part:
            if self.done:
                paths.replace(self.part, self.path)
            else:
                self.part.unlink(missing_ok=True)

    def write(self, text: str) -> None:
        self.status("")
        self.file.write(text.encode("utf-8", "replace"))
        self.file.flush()

    def write_json(self, record: dict[str, Any]) -> None:
        self.write(to_json(record) + "\n")

    def say(self, line: str) -> None:
        """A line of narration; '' only makes room for what another one says."""
        self.status("")
        if line and not self.quiet:
            with contextlib.suppress(OSError):
                click.echo(line, err=True)

    def status(self, line: str) -> None:
        """Replaces the status line; '' takes it away."""
        if self.live:
            try:
                sys.stderr.write(CLEAR + line)
                sys.stderr.flush()
            except OSError:  # the terminal is gone; what is written is not
                self.live = False

    def finished(self) -> None:
        self.done += 1

    def count(self) -> None:
        """One more token; now and then the status line says where things stand."""
        now = time.monotonic()
        self.started = self.started or now
        self.tokens += 1
        if not self.live or now - self.shown < INTERVAL or now == self.started:
            return
        self.shown = now
        rate = self.tokens / (now - self.started)
        line = f"{self.done} of {self.total} ideas, {self.tokens} tokens, {rate:.0f} tok/s"
        if self.done:
            # the unfinished are taken to come out as long as the finished did
            left = max(0.0, self.tokens / self.done * self.total - self.tokens) / rate
            line += f", about {left:.0f} s left"
        self.status(line)


def json_line(variant: Any, name: str, pair: str, prompt: str, trace: bool) -> dict[str, Any]:
    """The record of one variant, as scripts see it. name: its id."""
    record = {
        "id": name,
        "index": variant.index,
        "prompt": prompt,
        "text": variant.text,
        "seed": variant.seed,
        "pair": pair,
        "router": variant.router,
        "threshold": variant.threshold,
        "tokens": variant.tokens,
        "base_share": round(variant.base_share, 4),
        "stop": variant.stop,
        "seconds": round(variant.seconds, 3),
    }
    if trace:
        record["trace"] = [token_of(token) for token in variant.trace]
    return record


def token_of(token: Any) -> dict[str, Any]:
    """Who wrote it and what the router saw, as --trace shows it; probabilities to six digits."""
    names = ("piece", "id", "speaker", "routed", "p", "base_top_p", "base_entropy")
    return {name: figure(getattr(token, name)) for name in names}


def figure(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def human(variant: Any, number: int, marks: bool) -> str:
    """A numbered idea and an empty line; base's words between MARK and UNMARK."""
    text = marked(variant.trace) if marks else variant.text
    text = text.strip() or "(nothing written)"
    if variant.stop in ("length", "cancelled"):
        text += " …"
    head = f"{number:>3}  "
    return head + text.replace("\n", "\n" + " " * len(head)) + "\n\n"


def marked(trace: Any) -> str:
    """The text with runs of base's tokens marked, but not the white space around them."""
    parts: list[str] = []
    run = ""
    for token in trace:
        if token.speaker == "base":
            run += token.piece
        else:
            parts += [mark(run), token.piece]
            run = ""
    return "".join([*parts, mark(run)])


def mark(run: str) -> str:
    inner = run.strip()
    if not inner:
        return run
    start = run.index(inner)
    lines = inner.replace("\n", f"{UNMARK}\n{MARK}")
    return f"{run[:start]}{MARK}{lines}{UNMARK}{run[start + len(inner) :]}"


def summary_line(summary: Any, ideas: int, seed: int) -> str:
    rate = summary.tokens / summary.seconds if summary.seconds else 0
    return (
        f"{ideas} idea{'s' * (ideas != 1)}, {summary.tokens} tokens in {summary.seconds:.1f} s ({rate:.0f} tok/s), "
        f"{100 * summary.base_share:.0f} % by base, seed {seed}"
    )
