"""What the collaboration needs of a model: evaluate tokens, copy and cut sequences. Nothing else.

`runtime.side.ModelSide` is the real one; tests stand in two scripted ones with hand-written
distributions.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from baco_local.runtime.spans import Span, Work

__all__ = ["Side", "Span", "Vocabulary", "Work", "evaluate"]


class Vocabulary(Protocol):
    n_tokens: int
    ends: np.ndarray  # (n_tokens,) bool

    @property
    def bos(self) -> int: ...

    @property
    def eos(self) -> int: ...

    def piece(self, token: int) -> bytes: ...

    def pieces(self) -> list[bytes]: ...

    def text_of(self, token: int) -> str: ...

    def tokenize(self, text: bytes, *, add_special: bool = False, parse_special: bool = False) -> list[int]: ...

    def memo(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray: ...


class Side(Protocol):
    """One model of a pair. n_batch: tokens that one `evaluate` takes; n_ctx: tokens in one sequence at most."""

    name: str
    chat_template: str | None
    n_batch: int
    n_ctx: int
    threads: int
    offloaded: bool  # does a GPU compute it, while `submit` returns?
    eager: int  # rows up to which a batch costs about what one row costs; 0 also where sequences can't be cut
    most_rows: int  # in one batch
    tile: int  # rows of a batch that cost as much as one; 1 where each costs its own
    work: Work

    @property
    def vocabulary(self) -> Vocabulary: ...

    def room(self, n_sequences: int, n_cells: int) -> bool:
        """Makes place for so many sequences and tokens. The first one stays; False when it is empty now."""

    def submit(self, spans: Sequence[Span]) -> None:
        """Starts the evaluation of one batch."""

    def rows(self) -> np.ndarray:
        """(rows, n_tokens) float32, contiguous: logits after each span of that batch that wants them,
        valid until the next one is submitted."""

    def copy(self, source: int, target: int) -> None: ...

    def cut(self, sequence: int, length: int) -> bool:
        """Keeps `length` tokens; False when nothing could be kept."""


def evaluate(side: Side, spans: Sequence[Span]) -> np.ndarray:
    """One batch, start to end."""
    side.submit(spans)
    return side.rows()
