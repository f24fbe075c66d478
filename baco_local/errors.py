"""What can go wrong, as one or two lines for people and an exit code for scripts."""


class Problem(Exception):
    """Generation failed (exit code 1). The message says what, with which file, and what to do next."""

    exit_code = 1


class UsageProblem(Problem):
    """A wrong option, prompt or configuration."""

    exit_code = 2


class ModelProblem(Problem):
    """A model file is missing, damaged or not what it should be."""

    exit_code = 3


class RoomProblem(Problem):
    """It does not fit into memory or into a model's context."""

    exit_code = 4


class LibraryProblem(Problem):
    """The library of ideas can't be read or written."""


class DamagedLibrary(LibraryProblem):
    """Its file is damaged; some of it may still be read."""


def internal(error: Exception) -> Problem:
    """A fault of this program: its one line, with the place to report."""
    import traceback
    from pathlib import Path

    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    return Problem(
        f"internal error{place}: {type(error).__name__}: {error}; please report it with the command you typed"
    )


def from_an_interrupt(error: BaseException | None) -> bool:
    """Python, or a library, met a Ctrl-C in the middle and made another exception of it: a class half made, a thread half started."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
