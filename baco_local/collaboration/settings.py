"""What a writer asks for: the request, fixed while it runs, and the steering, which may change any time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from baco_local.collaboration.routers import CONTENT_SOURCES, DEFAULT, router
from baco_local.collaboration.variant import Token
from baco_local.errors import UsageProblem
from baco_local.native import layout as L
from baco_local.text import one_line

SYSTEM = "You are a helpful assistant."
MAX_VARIANTS = 500
MAX_TOKENS = 100_000
MAX_SLOTS = 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a speaker draws from its own distribution. Applied in this order, as llama.cpp does:
    penalties, top-k, top-p, min-p, temperature. Off: top_k 0, top_p 1, min_p 0, repeat 1,
    frequency 0, presence 0. Temperature 0 takes the likeliest token.

    Ranges: temperature 0 to 10; top_p and min_p 0 to 1; repeat 0.1 to 10 (a factor); frequency and presence -10 to 10
    (nats). Raises UsageProblem outside of them.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.05
    repeat: float = 1.0
    frequency: float = 0.0
    presence: float = 0.0
    window: int = 64  # tokens back that the penalties look

    def __post_init__(self) -> None:
        limits = {
            "temperature": (0, 10),
            "top_k": (0, 10**9),
            "top_p": (0, 1),
            "min_p": (0, 1),
            "repeat": (0.1, 10),
            "frequency": (-10, 10),
            "presence": (-10, 10),
            "window": (0, 10**6),
        }
        for name, (low, high) in limits.items():
            check_range(name, getattr(self, name), low, high)

    @property
    def penalises(self) -> bool:
        return self.window > 0 and (self.repeat, self.frequency, self.presence) != (1, 0, 0)


@dataclass(frozen=True, slots=True)
class Steering:
    """Who speaks when, and how they draw. `threshold` None becomes the router's default; it is a probability, or for routers
    of entropy in nats. content_source: whose best guess the content rules look at, `base`, `aligned` or `either`.
    Raises UsageProblem for an unknown router, a threshold out of its range, or one beside a base_share.

    base_share: a target in [0, 1]; the threshold is then None here, and moved while writing so
    that this fraction of all tokens comes from base.
    """

    router: str = DEFAULT
    threshold: float | None = None
    sampling: Sampling = field(default_factory=Sampling)
    content_source: str = "base"
    base_share: float | None = None

    def __post_init__(self) -> None:
        chosen = router(self.router)
        if self.content_source not in CONTENT_SOURCES:
            raise UsageProblem(f"content source {self.content_source!r}: it is one of {', '.join(CONTENT_SOURCES)}")
        if self.base_share is not None:
            check_range("base share", self.base_share, 0, 1)
            if self.threshold is not None:
                raise UsageProblem("give a threshold or a base share to aim for, not both")
            chosen.at(self.base_share)
        else:
            object.__setattr__(self, "threshold", chosen.check(self.threshold))

    def record(self) -> np.ndarray:
        """(1,) SETTINGS, as the kernel reads it."""
        settings, chosen = np.zeros(1, L.SETTINGS), router(self.router)
        for name in [item.name for item in fields(Sampling) if item.name != "window"]:
            settings[name] = getattr(self.sampling, name)
        settings["threshold"] = self.threshold or 0.0
        settings["content"], settings["rule"] = chosen.content, chosen.rule
        settings["content_source"] = CONTENT_SOURCES[self.content_source]
        return settings


def steering(settings: Mapping[str, Any], **given: Any) -> Steering:
    """From settings by name (router, threshold, base_share, content_source, and the fields of `Sampling`), and others over
    them, of which None are none. A threshold goes with the router that it was given with."""
    over = {name: value for name, value in given.items() if value is not None}
    named = {**settings, **over}
    knobs = {"threshold", "base_share"}
    if over.keys() & knobs or over.get("router", settings.get("router")) != settings.get("router"):
        named = {name: value for name, value in named.items() if name not in knobs or name in over}
    drawing = {field.name for field in fields(Sampling)}
    return Steering(
        **{name: value for name, value in named.items() if name not in drawing},
        sampling=Sampling(**{name: value for name, value in named.items() if name in drawing}),
    )


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, and n variants (1 to 500) of up to max_tokens tokens each. Raises UsageProblem for what is out of range.

    seed: 0 to 2**64 - 1; the same request, steering and pair give the same variants on the same machine. system: the system
    prompt of both models. stop: texts before which a variant ends. mode: `instruct` (the prompt is a task) or `continue` (the prompt is text to carry on).
    first: who writes the first word, `aligned` or `router`. slots: variants written at once.
    kept: tokens that every variant begins with, the first ones of an earlier variant's trace over
    the same pair and prompt; it goes on from there for up to max_tokens more. spare: slots beside those
    of the n variants, for more that are added while these are written.
    """

    prompt: str
    n: int = 16
    seed: int = 0
    max_tokens: int = 96
    system: str = SYSTEM
    mode: str = "instruct"
    first: str = "aligned"
    stop: tuple[str, ...] = ()
    slots: int = 16
    kept: tuple[Token, ...] = ()
    spare: int = 0

    def __post_init__(self) -> None:
        for name in ("prompt", "system"):
            check_text(name, getattr(self, name))
        for stop in self.stop:
            check_text("stop string", stop)
        if not self.prompt.strip():
            raise UsageProblem("the prompt is empty; say what the ideas should be about")
        check_range("-n", self.n, 1, MAX_VARIANTS, "; run it again with another --seed for more")
        check_range("--max-tokens", self.max_tokens, 1, MAX_TOKENS)
        check_range("--slots", self.slots, 1, MAX_SLOTS)
        check_range("spare", self.spare, 0, MAX_SLOTS)
        check_range("--seed", self.seed, 0, 2**64 - 1)
        if self.mode not in ("instruct", "continue"):
            raise UsageProblem(f"mode {self.mode!r}: it is instruct or continue")
        if self.first not in ("aligned", "router"):
            raise UsageProblem(f"first {self.first!r}: the first word is aligned's or the router's")
        if any(not stop for stop in self.stop):
            raise UsageProblem("a stop string is empty")

    @property
    def window(self) -> int:
        """Variants written at once: as one ends, the next one takes its place."""
        return min(self.n + self.spare, self.slots)


def check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageProblem(f"the {name} is not valid UTF-8 text") from None


def check_range(name: str, value: float, low: float, high: float, hint: str = "") -> None:
    if not low <= value <= high:  # NaN neither
        shown = f"{value:g}" if isinstance(value, float) else one_line(str(value)[:60], 40)
        raise UsageProblem(f"{name} {shown} is out of range: it takes {low} to {high}{hint}")
