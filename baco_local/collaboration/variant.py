"""A variant: finished and frozen (`Variant`), or still being written (`Writing`)."""

import time
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from baco_local.collaboration import words
from baco_local.text import clean

if TYPE_CHECKING:
    from baco_local.collaboration.drawing import Way
    from baco_local.collaboration.settings import Steering

SPEAKERS = ("base", "aligned")
BASE, ALIGNED = 0, 1
BARRED = 4  # beside the content rules, PUNC and FC of the kernel's layout


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the trace. `id` is in the speaker's vocabulary, `p` its probability under the
    distribution it was drawn from; the base's figures are None where no routing took place.

    rules: what else decided there, as bits: PUNC and FC, those content rules that leave such a place to aligned; BARRED,
    the router named base, which drew what only aligned may write."""

    piece: str
    id: int
    speaker: str
    routed: bool
    p: float
    base_top_p: float | None
    base_entropy: float | None
    rules: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """One idea. `text` is its tokens' pieces joined. stop: end, length, stop-string, repetition or
    cancelled. seconds: from its first evaluation to its end. seed: of its own random numbers; router, threshold:
    what it began with. The first `kept` tokens are another
    one's: those of `parent`, a variant of the same session, or of the request."""

    index: int
    text: str
    trace: tuple[Token, ...]
    stop: str
    seed: int
    router: str
    threshold: float | None
    seconds: float
    kept: int = 0
    parent: int | None = None

    @property
    def tokens(self) -> int:
        return len(self.trace)

    @property
    def base_tokens(self) -> int:
        return sum(token.speaker == SPEAKERS[0] for token in self.trace)

    @property
    def base_share(self) -> float:
        """Fraction of tokens that base wrote; 0 for an empty text."""
        return self.base_tokens / max(1, len(self.trace))


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a variant begins: with these tokens of an earlier one. anew: the routed token that followed them there, and
    which the router is to decide about once more: aligned's waits for it, where base wrote aligned writes now. steering: how
    it is steered throughout, whatever the session's is; not by a base share to aim for."""

    kept: tuple[Token, ...] = ()
    anew: Token | None = None
    steering: "Steering | None" = None


@dataclass(frozen=True, slots=True)
class Start:
    """A variant that waits for a slot. parent: of this session, whose first tokens it begins with."""

    index: int
    beginning: Beginning = Beginning()
    parent: "Writing | None" = None


@dataclass(frozen=True, slots=True)
class Routing:
    """What the router saw at a place."""

    top_p: float
    entropy: float
    rules: int = 0  # see `Token`


@dataclass(frozen=True, slots=True)
class Held:
    """A candidate that waits for the router. rules: the content rules that fire on its model's top piece."""

    token: int
    p: float
    rules: int = 0
    seen: Routing | None = None


@dataclass(slots=True)
class Half:
    """One model's view of a variant: its own tokens for the text, of which the first `evaluated`
    are in its cache; `covered` bytes of the text are turned into tokens. The last `loose` tokens, of
    `loose_bytes`, are a word of the other model's that may go on; then it is read anew, as one word."""

    ids: list[int] = field(default_factory=list)
    evaluated: int = 0
    covered: int = 0
    loose: int = 0
    loose_bytes: int = 0


@dataclass(slots=True, eq=False)
class Writing:
    """A variant being written in a slot. `wants` is the model whose logits it needs next."""

    index: int
    slot: int
    before: bytes  # the text it follows, in continue mode
    opening: bool  # still inside the first word, which needs no router
    text: bytearray = field(default_factory=bytearray)
    tokens: list[Token] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # byte in `text` at which each token begins
    words: list[int] = field(default_factory=list)  # bytes in `text` at which a token began a word
    halves: tuple[Half, Half] = field(default_factory=lambda: (Half(), Half()))
    shown: int = 0  # bytes of `text` that are in the tokens' pieces
    speaker: int = ALIGNED
    wants: int = ALIGNED
    held: Held | None = None
    decided: bool = False  # the router has named aligned for this place
    seen: Routing | None = None  # what it saw then
    kept: int = 0  # tokens it began with
    parent: int | None = None  # the variant they are from
    key: int = 0  # of its random numbers
    way: "Way | None" = None  # how it is steered, if not as the session is
    began: float = field(default_factory=time.perf_counter)

    @property
    def flags(self) -> int:
        return words.state(self.text or self.before)

    def add(self, piece: bytes) -> str:
        """Appends the bytes; returns the characters they complete."""
        self.starts.append(len(self.text))
        self.text += piece
        end = len(self.text) - words.unfinished(self.text)
        shown = clean(self.text[self.shown : end].decode("utf-8", "replace"))
        self.shown = end
        return shown

    def end_of(self, tokens: int) -> int:
        """Where the first so many tokens end, in bytes of `text`."""
        return self.starts[tokens] if tokens < len(self.starts) else len(self.text)

    def cut(self, length: int) -> None:
        """Keeps `length` bytes of text and the tokens that begin before that, with what they show of it."""
        keep = sum(start < length for start in self.starts)
        del self.tokens[keep:], self.starts[keep:], self.text[length:]
        del self.words[bisect_left(self.words, length) :]
        if keep:
            last = self.tokens[-1]
            # the characters that this token completed: from where the one before it stopped showing
            start = self.starts[-1] - words.unfinished(self.text[: self.starts[-1]])
            end = len(self.text) - words.unfinished(self.text)
            piece = clean(self.text[start:end].decode("utf-8", "replace"))
            self.tokens[-1] = replace(last, piece=piece)

    def finished(self, stop: str, seed: int, router: str, threshold: float | None) -> Variant:
        text = "".join(token.piece for token in self.tokens)
        seconds = time.perf_counter() - self.began
        kept = min(self.kept, len(self.tokens))
        return Variant(self.index, text, tuple(self.tokens), stop, seed, router, threshold, seconds, kept, self.parent)
