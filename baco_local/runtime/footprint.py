"""How much memory a model and its context will take, from the numbers of its header: before anything is loaded.

Held to what is measured by tests/memory.py.
"""

from dataclasses import dataclass

from baco_local.catalog.entries import Shape
from baco_local.runtime.context import CACHE_TYPES, UBATCH, padded
from baco_local.runtime.model import TILE

PROGRAM = 56 << 20  # Python, numpy and llama.cpp itself
ENTRY = 180  # bytes that llama.cpp keeps for one token or merge of a vocabulary
SCRATCH = 24  # bytes that the kernel keeps for one token of a vocabulary and thread, and the engine for itself


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes. weights: the file, mapped into memory; reordered: what is kept twice of it; vocabulary: its
    tables; cache: keys and values; buffers: logits, and what a batch needs while it is computed."""

    weights: int = 0
    reordered: int = 0
    vocabulary: int = 0
    cache: int = 0
    buffers: int = 0

    @property
    def resident(self) -> int:
        """What the process is seen to occupy, without the program itself."""
        return self.needed + self.reordered

    @property
    def needed(self) -> int:
        """What must be free: of weights that are kept twice, the system can let one copy go."""
        return self.weights + self.vocabulary + self.cache + self.buffers

    def __add__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            self.weights + other.weights,
            self.reordered + other.reordered,
            self.vocabulary + other.vocabulary,
            self.cache + other.cache,
            self.buffers + other.buffers,
        )


def of_model(size: int, reordered: int, entries: int) -> Footprint:
    """size and reordered in bytes; entries: tokens and merges of the vocabulary."""
    return Footprint(weights=size, reordered=reordered, vocabulary=ENTRY * entries)


def of_context(shape: Shape, n_sequences: int, n_cells: int, cache_type: str, threads: int) -> Footprint:
    """See `context.Context`, which this follows."""
    cells, rows = padded(n_cells), n_sequences + TILE
    logits = 4 * shape.vocabulary * rows
    layers = 4 * UBATCH * (6 * shape.embedding + 3 * shape.feed_forward)  # the widest of a layer's results
    mask = 2 * cells * UBATCH
    return Footprint(
        cache=int(CACHE_TYPES[cache_type].width * shape.kv * cells) + shape.state * (n_sequences + 1),
        buffers=logits + max(logits, layers) + mask + SCRATCH * shape.vocabulary * threads,
    )
