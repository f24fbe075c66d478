"""The routers: given the base model's next-token distribution, who writes the next word?

Every router is a content rule that may leave the place to aligned (punctuation, function
words) followed by a rule with a threshold on the base's probabilities; either may be absent.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from baco_local.collaboration.variant import BARRED, SPEAKERS, Token
from baco_local.errors import UsageProblem
from baco_local.native import layout as L

BASE, ALIGNED = SPEAKERS


@dataclass(frozen=True, slots=True)
class Router:
    """`limits`: allowed thresholds, None for a router without one. `rising`: larger means more base."""

    name: str
    says: str
    content: int
    rule: int
    limits: tuple[float, float] | None = None
    default: float | None = None
    rising: bool = True

    def check(self, threshold: float | None) -> float | None:
        """The threshold to use. Raises UsageProblem when it is out of range, or there is none to set."""
        if threshold is None:
            return self.default
        if self.limits is None:
            raise UsageProblem(f"router {self.name} has no threshold; leave it out, or choose another router")
        low, high = self.limits
        if not low <= threshold <= high:
            raise UsageProblem(
                f"threshold {threshold:g} is out of range for router {self.name}: it takes {low:g} to {high:g}"
            )
        return threshold

    def at(self, diversity: float) -> float:
        """The threshold at `diversity` in [0, 1], where more is more base for every router.

        Entropy is never below -ln(max p), so -2 ln d puts `h` about where `p` is at d.
        """
        if self.limits is None:
            raise UsageProblem(f"router {self.name} has no threshold to turn; choose another router")
        if not 0 <= diversity <= 1:
            raise UsageProblem(f"diversity {diversity:g} is out of range: it takes 0 to 1")
        if self.rule == L.H:
            return min(abs(2 * math.log(diversity)), MAX_ENTROPY) if diversity > 0 else MAX_ENTROPY
        return diversity if self.rising else 1 - diversity

    def diversity(self, threshold: float) -> float:
        """In [0, 1]: where a threshold is on the scale of `at`."""
        if self.rule == L.H:
            return min(1.0, math.exp(-threshold / 2))
        return threshold if self.rising else 1 - threshold

    def names(self, threshold: float | None, token: Token) -> str | None:
        """Whom this router names at the place where `token` was written; None where that can't be known: between
        routing points, and of a coin."""
        if token.base_top_p is None or token.base_entropy is None or self.rule == L.RAND:
            return None
        if self.content & token.rules or self.rule == L.NEVER:
            return ALIGNED
        if self.rule == L.ALWAYS or threshold is None:
            return BASE
        wild = {
            L.P: token.base_top_p < threshold,
            L.H: token.base_entropy > threshold,
            L.NUDGING: token.base_top_p >= threshold,
        }
        return BASE if wild[self.rule] else ALIGNED

    def parts(self, threshold: float | None, trace: Sequence[Token], start: int = 0) -> int | None:
        """The first place, from `start` on, where an idea with this trace would have gone the other way: index of the token
        that the other model would have written. None where it would have gone the same way throughout. Exact: up to
        there the same models write the same words."""
        for index in range(start, len(trace)):
            named = self.names(threshold, trace[index])
            barred = named == BASE and trace[index].rules & BARRED
            if named and named != trace[index].speaker and not barred:
                return index
        return None


MAX_ENTROPY = 20.0  # nats; more than any vocabulary can have
UNIT = (0.0, 1.0)
NATS = (0.0, 100.0)


def p_like(name: str, says: str, content: int) -> Router:
    return Router(name, says, content, L.P, UNIT, 0.35)


def h_like(name: str, says: str, content: int) -> Router:
    return Router(name, says, content, L.H, NATS, 2.1, rising=False)


ROUTERS: dict[str, Router] = {
    router.name: router
    for router in [
        p_like("p-punc", "punctuation is aligned's; elsewhere as p", L.PUNC),
        p_like("p-fc", "function words are aligned's; elsewhere as p", L.FC),
        p_like("p", "base where its best guess has a probability below the threshold", L.NO_CONTENT),
        h_like("h-punc", "punctuation is aligned's; elsewhere as h", L.PUNC),
        h_like("h-fc", "function words are aligned's; elsewhere as h", L.FC),
        h_like("h", "base where its entropy (nats) is above the threshold", L.NO_CONTENT),
        Router("punc", "base unless its best guess is punctuation, whitespace or markup", L.PUNC, L.ALWAYS),
        Router("fc", "base unless its best guess starts a function word", L.FC, L.ALWAYS),
        Router("rand", "base with the threshold as probability", L.NO_CONTENT, L.RAND, UNIT, 0.35),
        Router("nudging", "base where its best guess reaches the threshold", L.NO_CONTENT, L.NUDGING, UNIT, 0.4, False),
        Router("base", "always base (but for the first word and the end)", L.NO_CONTENT, L.ALWAYS),
        Router("aligned", "always aligned", L.NO_CONTENT, L.NEVER),
    ]
}
DEFAULT = "p-punc"

CONTENT_SOURCES = {"base": L.FROM_BASE, "aligned": L.FROM_ALIGNED, "either": L.FROM_EITHER}


def router(name: str) -> Router:
    """Raises UsageProblem, naming the nearest one, for a router that does not exist."""
    try:
        return ROUTERS[name]
    except KeyError:
        close = difflib.get_close_matches(name, ROUTERS, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(ROUTERS)}"
        raise UsageProblem(f"no router is called {name!r}; {hint}") from None
