"""The way in: `baco-local`, and `python -m baco_local`. Light, so that a Ctrl-C while the rest loads is no traceback."""

import os
import sys


def run() -> None:
    try:
        from baco_local.cli.main import code_of

        code = code_of(sys.argv[1:])
    except KeyboardInterrupt:
        os._exit(130)
    sys.exit(code)


if __name__ == "__main__":
    run()
