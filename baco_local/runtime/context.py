"""A context over a model: many sequences that are evaluated together.

llama.cpp answers most mistakes by ending the process, so everything it would assert on
(sequence ids, batch and output counts, positions, token ids) is checked here first.
"""

import ctypes
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from baco_local.errors import ModelProblem, Problem, RoomProblem
from baco_local.runtime import machine
from baco_local.runtime.llama import last_complaint, llama
from baco_local.runtime.model import FILLERS, Model
from baco_local.runtime.spans import Span, Work
from baco_local.text import one_line

BATCH = 512  # tokens in one llama_decode at most
UBATCH = 256  # of these computed at a time: larger reserves more memory for no speed on a CPU
CELLS = 256  # context sizes are multiples of this


@dataclass(frozen=True, slots=True)
class CacheType:
    """A ggml_type for keys and values: its number, and bytes for each value."""

    number: int
    width: float


CACHE_TYPES = {"f16": CacheType(1, 2), "q8_0": CacheType(8, 34 / 32)}


def padded(n_cells: int) -> int:
    """Tokens that a context for n_cells is really made for."""
    return -(-(n_cells + FILLERS) // CELLS) * CELLS


class Context:
    """A KV cache of n_cells tokens that n_sequences share, and the logits of the newest batch.

    Sequences that start from the same text share its cells (`copy` costs nothing). Use from
    one thread at a time; two contexts never compute at the same time on the CPU.

    adapter: of `Model.adapter`, or None. cache_type: of CACHE_TYPES, how keys and values are kept.
    """

    def __init__(
        self,
        model: Model,
        n_sequences: int,
        n_cells: int,
        threads: int | None,
        work: Work,
        *,
        adapter: Any = None,
        cache_type: str = "f16",
    ) -> None:
        lib = llama()
        if n_sequences >= lib.llama_max_parallel_sequences():
            raise RoomProblem(f"llama.cpp holds at most {lib.llama_max_parallel_sequences()} sequences at once")
        self.model, self.n_sequences = model, n_sequences
        self.n_vocab = model.vocabulary.n_tokens
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = padded(n_cells)
        parameters.n_batch, parameters.n_ubatch = BATCH + FILLERS, UBATCH
        parameters.n_seq_max = n_sequences + 1  # the last one is for fillers
        parameters.n_outputs_max = n_sequences + max(1, model.fill)
        parameters.n_threads = parameters.n_threads_batch = self.threads = threads or machine.cores()
        parameters.type_k = parameters.type_v = CACHE_TYPES[cache_type].number
        parameters.kv_unified = True
        parameters.no_perf = True
        self.handle = lib.llama_init_from_model(model.handle, parameters)
        if not self.handle and cache_type != "f16" and "alloc" not in last_complaint():
            raise ModelProblem(
                f"{model.path}: can't keep its cache as {cache_type} ({one_line(last_complaint())})\nuse --cache-type f16"
            )
        if not self.handle:
            raise RoomProblem(
                f"{model.path}: no memory for a context of {parameters.n_ctx} tokens ({one_line(last_complaint())})\n"
                "ask for fewer ideas at once (--slots) or fewer tokens (--max-tokens), or use a smaller model"
            )
        self.n_cells: int = lib.llama_n_ctx(self.handle) - FILLERS
        self.memory = lib.llama_get_memory(self.handle)
        self.lengths = [0] * n_sequences  # tokens in each sequence
        self.work = work
        self.wanted: list[int] = []  # places in the newest batch whose logits are read
        self.gathered: np.ndarray | None = None  # rows that llama.cpp doesn't keep one behind the other
        self._make_batch()
        if adapter is not None:
            adapters, scales = (lib.llama_adapter_lora_p_ctypes * 1)(adapter), (ctypes.c_float * 1)(1.0)
            if lib.llama_set_adapters_lora(self.handle, adapters, 1, scales) != 0:
                self.close()
                raise ModelProblem(f"{model.path}: llama.cpp could not use the adapter: {one_line(last_complaint())}")

    def _make_batch(self) -> None:
        """A llama_batch over numpy arrays: whole slices are written, not one ctypes item at a time."""
        lib = llama()
        size = BATCH + FILLERS
        self.tokens, self.positions = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self.counts, self.sequences = np.ones(size, np.int32), np.zeros(size, np.int32)
        self.flags = np.zeros(size, np.int8)
        # seq_id is an array of pointers, one list of sequences per token; ours all have length 1
        self.pointers = (self.sequences.ctypes.data + 4 * np.arange(size)).astype(np.uintp)
        batch = lib.llama_batch()
        arrays: list[tuple[str, np.ndarray]] = [
            ("token", self.tokens),
            ("pos", self.positions),
            ("n_seq_id", self.counts),
            ("seq_id", self.pointers),
            ("logits", self.flags),
        ]
        for field, array in arrays:
            kind = dict(lib.llama_batch._fields_)[field]
            setattr(batch, field, ctypes.cast(array.ctypes.data, kind))
        self.batch = batch

    def evaluate(self, spans: Sequence[Span]) -> np.ndarray:
        """One batch: `submit`, then `rows`."""
        self.submit(spans)
        return self.rows()

    def submit(self, spans: Sequence[Span]) -> None:
        """Starts one batch; on a GPU it is computed while this returns. The spans' tokens together
        must not be more than `n_batch`. Raises RoomProblem when the cache is full."""
        lib = llama()
        total = self._fill(spans)
        fillers = self._fill_up(total, len(self.wanted))
        self.batch.n_tokens = total + fillers
        started = time.perf_counter()
        status = lib.llama_decode(self.handle, self.batch)
        self.work.seconds += time.perf_counter() - started
        if fillers:
            lib.llama_memory_seq_rm(self.memory, self.n_sequences, -1, -1)
        self.work.batches += 1
        self.work.tokens += total
        self.work.rows += len(self.wanted)
        if status != 0:  # what was computed before the failure must not stay behind
            for span in spans:
                lib.llama_memory_seq_rm(self.memory, span.sequence, self.lengths[span.sequence], -1)
        if status == 1:
            raise RoomProblem(f"{self.model.path}: the context of {self.n_cells} tokens is full")
        if status != 0:
            raise Problem(
                f"{self.model.path}: llama.cpp failed on a batch (code {status}): {one_line(last_complaint())}"
            )
        for span in spans:
            self.lengths[span.sequence] += len(span.tokens)

    def rows(self) -> np.ndarray:
        """(rows, n_vocab) float32: the logits after each span of the newest batch that wants them, in order.

        They live in llama.cpp's memory, or in this context's, and hold until the next batch.
        """
        if not self.wanted:
            return np.empty((0, self.n_vocab), np.float32)
        lib, width = llama(), 4 * self.n_vocab
        started = time.perf_counter()
        lib.llama_synchronize(self.handle)
        self.work.seconds += time.perf_counter() - started
        # the rows lie one behind the other, in the order of the batch, as long as llama.cpp doesn't sort them
        ends = [lib.llama_get_logits_ith(self.handle, i) for i in (self.wanted[0], self.wanted[-1])]
        first, last = (ctypes.cast(end, ctypes.c_void_p).value or 0 for end in ends)
        if not first or not last:
            raise Problem(f"{self.model.path}: llama.cpp gave no logits")
        count = len(self.wanted)
        if last == first + (count - 1) * width and (count < 3 or not self.model.recurrent):
            return as_floats(first, count, self.n_vocab)
        rows = [ctypes.cast(lib.llama_get_logits_ith(self.handle, i), ctypes.c_void_p).value for i in self.wanted]
        self.gathered = np.concatenate([as_floats(row or 0, 1, self.n_vocab) for row in rows])
        return self.gathered

    def _fill(self, spans: Sequence[Span]) -> int:
        """Puts the spans into the batch, and into `wanted` whose logits are read; returns how many tokens."""
        ids: list[int] = []
        positions: list[int] = []
        sequences: list[int] = []
        self.wanted = []
        ends = list(self.lengths)
        for span in spans:
            count = len(span.tokens)
            if not 0 <= span.sequence < self.n_sequences or span.start != ends[span.sequence] or not count:
                raise ValueError(f"span at {span.start} of sequence {span.sequence} does not continue it")
            ends[span.sequence] += count
            ids += span.tokens
            positions += range(span.start, span.start + count)
            sequences += [span.sequence] * count
            if span.logits:
                self.wanted.append(len(ids) - 1)
        total = len(ids)
        if not 0 < total <= BATCH or len(self.wanted) > self.n_sequences:
            raise ValueError(f"a batch takes 1 to {BATCH} tokens and {self.n_sequences} rows of logits")
        if min(ids) < 0 or max(ids) >= self.n_vocab:
            raise ValueError("a token id outside the vocabulary")
        self.tokens[:total], self.positions[:total], self.sequences[:total] = ids, positions, sequences
        self.flags[:total] = 0
        self.flags[self.wanted] = 1
        return total

    def _fill_up(self, total: int, rows: int) -> int:
        """Appends tokens in a sequence of their own; returns how many."""
        tile = self.model.fill
        if rows < tile - 1:
            return 0
        read = -rows % tile
        fillers = read + -(total + read) % tile
        end = total + fillers
        self.tokens[total:end] = 0
        self.positions[total:end] = np.arange(fillers)
        self.sequences[total:end] = self.n_sequences
        self.flags[total:end] = np.arange(fillers) < read
        return fillers

    def copy(self, source: int, target: int) -> None:
        """Makes `target` continue the text of `source`; its own is dropped."""
        self._check(source, target)
        self.cut(target, 0)
        llama().llama_memory_seq_cp(self.memory, source, target, -1, -1)
        self.lengths[target] = self.lengths[source]

    def cut(self, sequence: int, length: int) -> bool:
        """Keeps the first `length` tokens. False, with nothing kept, where the model can't cut
        in the middle (recurrent and hybrid ones): evaluate the sequence anew."""
        self._check(sequence)
        if length >= self.lengths[sequence]:
            return True
        done = bool(llama().llama_memory_seq_rm(self.memory, sequence, length, -1)) if length else False
        if not done:
            llama().llama_memory_seq_rm(self.memory, sequence, -1, -1)
        self.lengths[sequence] = length if done else 0
        return done or length == 0

    def saved(self) -> tuple[int, ctypes.Array[ctypes.c_uint8]]:
        """What sequence 0 holds: its length, and what llama.cpp computed of it."""
        lib = llama()
        data = (ctypes.c_uint8 * lib.llama_state_seq_get_size(self.handle, 0))()
        lib.llama_state_seq_get_data(self.handle, data, len(data), 0)
        return self.lengths[0], data

    def restore(self, saved: tuple[int, ctypes.Array[ctypes.c_uint8]]) -> bool:
        """Puts into the empty sequence 0 what another context of this model `saved`."""
        length, data = saved
        done = length <= self.n_cells and llama().llama_state_seq_set_data(self.handle, data, len(data), 0) > 0
        self.lengths[0] = length if done else 0
        return done

    def _check(self, *sequences: int) -> None:
        if not all(0 <= sequence < self.n_sequences for sequence in sequences):
            raise ValueError(f"sequences {sequences} of {self.n_sequences}")

    def close(self) -> None:
        if self.handle:
            llama().llama_free(self.handle)
            self.handle = None


@functools.lru_cache(maxsize=128)  # llama.cpp keeps them in one place
def as_floats(address: int, rows: int, width: int) -> np.ndarray:
    memory = (ctypes.c_float * (rows * width)).from_address(address)
    return np.ctypeslib.as_array(memory).reshape(rows, width)
