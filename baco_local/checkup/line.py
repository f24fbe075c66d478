"""One fact with a verdict."""

from dataclasses import dataclass

OK, SLOW, MISSING = "ok", "slow", "missing"


@dataclass(frozen=True, slots=True)
class Line:
    """verdict: `ok`, `slow` (it works, and could work faster) or `missing` (something does not work as it is).

    mend: the command or the step that changes the verdict; "" where it is ok.
    """

    name: str
    said: str
    verdict: str = OK
    mend: str = ""
