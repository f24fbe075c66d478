"""The way in: `baco-local`, and `python -m baco_local`. Light, so that a Ctrl-C while the rest loads is no traceback."""

import contextlib
import os
import sys

INTERRUPTED = 130


def run() -> None:
    try:
        from baco_local.cli.main import code_of

        code = code_of(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # Python remembers a KeyboardInterrupt that went through an exec(), as every dataclass does one while it is
        # imported, even where it was caught: at a usual exit it would end itself by the signal, and not with our code.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
