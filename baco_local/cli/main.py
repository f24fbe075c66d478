"""The commands' entry: runs one and turns whatever happens into a line on stderr and an exit code.

Codes: 0 ok, 1 generation or the library failed, 2 usage or configuration, 3 model missing or unreadable,
4 does not fit, 130 interrupted.
"""

import contextlib
import errno
import io
import os
import signal
import sys

import click

from baco_local import __version__
from baco_local.__main__ import INTERRUPTED
from baco_local.cli import (
    again,
    bench,
    calibrate,
    doctor,
    exchange,
    history,
    ideas,
    manual,
    marks,
    models,
    pull,
    rate,
    report,
    score,
    sweep,
    tui,
)
from baco_local.errors import Problem, from_an_interrupt, internal
from baco_local.text import clean


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Pairs, models and settings live in the folders that `baco-local doctor` names.",
)
@click.version_option(__version__, prog_name="baco-local")
@click.pass_context
def cli(context: click.Context) -> None:
    """Many good, different ideas at once, offline: two models write every idea together."""
    if context.invoked_subcommand is not None:
        return
    if tui.at_a_terminal():
        context.exit(context.invoke(tui.command))
    click.echo(context.get_help())


COMMANDS = (
    *(ideas.command, tui.command, again.more, again.branch),
    *(history.history, history.show, history.search),
    *(marks.star, marks.unstar, marks.tag, marks.note, marks.rm),
    *(exchange.export, exchange.read, exchange.backup),
    *(pull.command, models.command, doctor.command, bench.command),
    *(score.command, sweep.command, report.command, calibrate.command, rate.command, manual.command),
)
for command in COMMANDS:
    cli.add_command(command)


COMPLETION = "_BACO_LOCAL_COMPLETE"


def code_of(arguments: list[str]) -> int:
    """Runs a command. Whatever stdout could not take has been told by then, and is not tried again by Python at its exit."""
    code = run(arguments)
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except (OSError, ValueError):
            quiet_pipe()
    return code


def run(arguments: list[str]) -> int:
    try:
        if sys.stdout is None:
            return complain("stdout is closed, so there is nowhere to write to", 2)
        prepare()
        if asked := os.environ.get(COMPLETION):  # a shell's, for what could come next
            from click.shell_completion import shell_complete

            with contextlib.suppress(KeyError):  # nobody's shell: what it has typed is not said
                return shell_complete(cli, {}, "baco-local", COMPLETION, asked)
            return 2
        # not cli.main(): that one turns a closed pipe into exit code 1 on its own
        with cli.make_context("baco-local", arguments) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:  # --help and --version
        return done.exit_code
    except click.ClickException as error:
        return complain(error.format_message(), 2, hint=hint(error))
    except (KeyboardInterrupt, click.Abort):
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return quiet_pipe()
    except Problem as problem:
        return complain(str(problem), problem.exit_code)
    except MemoryError:
        return complain("out of memory; ask for fewer ideas at once (--slots), or use a smaller pair", 4)
    except OSError as error:
        if os.name == "nt" and error.errno == errno.EINVAL and not error.filename:  # how Windows calls a closed pipe
            return quiet_pipe()
        return complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part), 1)
    except Exception as error:
        if from_an_interrupt(error):
            return complain("interrupted", INTERRUPTED)
        return complain(str(internal(error)), 1)


def prepare() -> None:
    """Streams that take every character, and signals that end a command as Ctrl-C does: what is written is kept then, and no
    half a file stays."""
    if os.name == "nt":
        os.system("")  # an old console takes escape codes from then on
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if os.name == "nt":  # bytes are the same everywhere: not in the console's code page, nor with its line ends
            stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")
        elif stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(errors="replace")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if (
            number
            and signal.getsignal(number) is signal.SIG_DFL
            and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        ):
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def complain(message: str, code: int, hint: str = "") -> int:
    """Says it on stderr, if there is one, and returns the code."""
    if sys.stderr is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the message
        for line in [f"baco-local: {message}", hint]:
            if line:
                with contextlib.suppress(OSError):  # a terminal that is gone
                    click.echo(clean(line), err=True)  # paths and names are quoted in it
    return code


def hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    prompted = context and context.command.name in ("ideas", "tui")  # where words without quotes are a prompt
    if prompted and "unexpected extra argument" in error.format_message():
        return 'a prompt of several words goes in quotes: baco-local ideas "Names for a boat"'
    return f"see: {context.command_path} --help" if context else ""


def quiet_pipe() -> int:
    """The reader has seen enough (`| head -1`): no message, and no second one from Python at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
