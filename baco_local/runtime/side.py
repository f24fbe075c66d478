"""A loaded model and the context it needs at the moment: what the collaboration sees of a model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baco_local.native import products
from baco_local.runtime import llama, machine
from baco_local.runtime.context import BATCH, Context
from baco_local.runtime.model import LANES, METAL_ROWS, Model
from baco_local.runtime.spans import Span, Work

GPU_EAGER = 16  # not measured: no GPU was at hand


class ModelSide:
    """See `collaboration.side.Side`. The context is made anew only when a larger one is asked for.

    lora: an adapter's file; the model's weights stay as they are, so another side may use them without it.
    chat_template: instead of the model's own. cache_type: of `context.CACHE_TYPES`.
    """

    n_batch = BATCH

    def __init__(
        self,
        model: Model,
        threads: int | None = None,
        *,
        lora: Path | None = None,
        chat_template: str | None = None,
        cache_type: str = "f16",
    ) -> None:
        self.model, self.threads = model, threads or machine.cores()
        self.adapter = model.adapter(lora) if lora else None
        self.files, self.cache_type = (model.path, lora), cache_type
        self.name = str(lora or model.path)
        self.vocabulary, self.chat_template = model.vocabulary, chat_template or model.chat_template
        self.n_ctx, self.tile, self.offloaded = model.n_ctx_train, model.tile, model.offloaded
        pays = GPU_EAGER if model.offloaded else products.lanes() if model.tile >= LANES else 0
        self.eager = 0 if model.recurrent else pays
        self.most_rows = METAL_ROWS if model.offloaded and llama.on_metal() else BATCH
        self.work = Work()
        self.context: Context | None = None

    def room(self, n_sequences: int, n_cells: int) -> bool:
        held = self.context
        if held and held.n_sequences >= n_sequences and held.n_cells >= n_cells:
            return True
        kept = held.saved() if held else None
        self.close()
        if held:  # one that grows will grow again
            n_sequences, n_cells = max(n_sequences, held.n_sequences), max(n_cells, held.n_cells)
        self.context = Context(
            self.model,
            n_sequences,
            n_cells,
            self.threads,
            self.work,
            adapter=self.adapter,
            cache_type=self.cache_type,
        )
        return bool(kept and self.context.restore(kept))

    def submit(self, spans: Sequence[Span]) -> None:
        self._ready().submit(spans)

    def rows(self) -> np.ndarray:
        return self._ready().rows()

    def copy(self, source: int, target: int) -> None:
        self._ready().copy(source, target)

    def cut(self, sequence: int, length: int) -> bool:
        return self._ready().cut(sequence, length)

    def _ready(self) -> Context:
        if self.context is None:
            raise ValueError("room() comes first")
        return self.context

    def close(self) -> None:
        """Frees the context; the model is its owner's."""
        if self.context:
            self.context.close()
            self.context = None
