"""baco-local: a base and an aligned model write every idea together, offline.

import baco_local

with baco_local.open_pair("starter") as pair:
    for variant in pair.ideas("A title for a novel about tides", n=4):
        print(variant.text)
"""

TYPE_CHECKING = (
    False  # as type checkers read it; `typing` itself would double the time in which a Ctrl-C is Python's own
)
if TYPE_CHECKING:
    from typing import Any

    from baco_local.collaboration.events import Began, Ended, Failed, Summary, Wrote
    from baco_local.collaboration.routers import router
    from baco_local.collaboration.session import Session
    from baco_local.collaboration.settings import Request, Sampling, Steering
    from baco_local.collaboration.variant import Beginning, Token, Variant
    from baco_local.errors import LibraryProblem, ModelProblem, Problem, RoomProblem, UsageProblem
    from baco_local.pair import Pair, open_pair

__version__ = "0.1.0"

__all__ = [
    "Began",
    "Beginning",
    "Ended",
    "Failed",
    "LibraryProblem",
    "ModelProblem",
    "Pair",
    "Problem",
    "Request",
    "RoomProblem",
    "Sampling",
    "Session",
    "Steering",
    "Summary",
    "Token",
    "UsageProblem",
    "Variant",
    "Wrote",
    "open_pair",
    "router",
]

_HOMES = {
    "open_pair": "pair",
    "Pair": "pair",
    "Session": "collaboration.session",
    "Request": "collaboration.settings",
    "Sampling": "collaboration.settings",
    "Steering": "collaboration.settings",
    "Variant": "collaboration.variant",
    "Token": "collaboration.variant",
    "router": "collaboration.routers",
    **dict.fromkeys(("Began", "Wrote", "Ended", "Summary", "Failed"), "collaboration.events"),
    "Beginning": "collaboration.variant",
    **dict.fromkeys(("Problem", "UsageProblem", "ModelProblem", "RoomProblem", "LibraryProblem"), "errors"),
}


def __getattr__(name: str) -> "Any":
    """Loads a part on first use, so that `import baco_local` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'baco_local' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"baco_local.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
