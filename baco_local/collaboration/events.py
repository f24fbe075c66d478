"""What a session tells whoever watches it: plain records, in the order in which things happened."""

from dataclasses import dataclass

from baco_local.collaboration.variant import Token, Variant


@dataclass(frozen=True, slots=True)
class Began:
    """A variant got a slot. `kept`: the tokens it begins with, of its `parent` or of the request."""

    index: int
    kept: tuple[Token, ...] = ()
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Wrote:
    """A variant grew by one token."""

    index: int
    token: Token


@dataclass(frozen=True, slots=True)
class Ended:
    """A variant is finished; its text here is the one that counts (a stop string is cut off)."""

    variant: Variant


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole session, in seconds and tokens. The last event, unless it failed."""

    variants: int
    tokens: int
    base_tokens: int
    seconds: float  # from the start of the prompt's evaluation
    prompt_seconds: float  # of these, before the first word
    decode_seconds: float  # inside llama_decode
    kernel_seconds: float
    stopped: bool

    @property
    def base_share(self) -> float:
        return self.base_tokens / max(1, self.tokens)


@dataclass(frozen=True, slots=True)
class Failed:
    """The session ended with this problem; what was written came before it as `Ended`."""

    problem: Exception


Event = Began | Wrote | Ended | Summary | Failed
