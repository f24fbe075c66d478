"""`python -m baco_local`."""

from baco_local.cli.main import run

if __name__ == "__main__":
    run()
