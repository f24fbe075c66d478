"""`baco-local ideas`: one prompt in, many variants out."""

import sys
from typing import Any

import click

from baco_local.cli.examples import examples
from baco_local.cli.options import chosen
from baco_local.cli.writing import of_a_run, run
from baco_local.errors import UsageProblem

LONGEST = 16 << 20  # bytes of a prompt


@click.command(
    "ideas",
    short_help="Write many different ideas for one prompt.",
    epilog=examples(
        'baco-local ideas "Names for a café on a tidal island" -n 20',
        'baco-local ideas "Names for a café on a tidal island" --diversity 0.7',
        'baco-local ideas --continue "The lighthouse keeper had not spoken for" -n 8',
        'echo "An opening line" | baco-local ideas - --jsonl > ideas.jsonl',
    ),
)
@click.argument("prompt")
@of_a_run()
def command(prompt: str, **given: Any) -> int:
    """Write many different ideas for PROMPT (`-` reads it from stdin), and keep them in the library.

    Words of the base model are underlined on a terminal.
    """
    return run(given, chosen(given), from_stdin() if prompt == "-" else prompt)


def from_stdin() -> str:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageProblem("stdin is closed; give the prompt as an argument instead of -")
    try:
        given = sys.stdin.buffer.read(LONGEST + 1)
        if len(given) > LONGEST:
            raise UsageProblem(f"stdin has more than {LONGEST >> 20} MB; no model reads so long a prompt")
        return given.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n")
    except OSError as error:
        raise UsageProblem(f"stdin can't be read ({error.strerror}); give the prompt as an argument") from None
    except UnicodeDecodeError:
        raise UsageProblem("the prompt on stdin is not UTF-8 text") from None
