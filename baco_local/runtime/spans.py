"""Tokens on their way into a batch, and the account of what batches cost."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens to evaluate for one sequence at positions start, start + 1, …; logits after the last, if wanted."""

    sequence: int
    start: int
    tokens: Sequence[int]
    logits: bool = True


@dataclass(slots=True)
class Work:
    """What one model has computed so far."""

    seconds: float = 0.0  # inside llama_decode
    batches: int = 0
    tokens: int = 0
    rows: int = 0  # of logits
