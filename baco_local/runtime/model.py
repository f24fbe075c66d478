"""One loaded GGUF file: its weights and its vocabulary, and what is known of how fast its kind computes."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from baco_local.errors import ModelProblem
from baco_local.runtime.llama import accelerated, last_complaint, llama, text_from
from baco_local.runtime.vocabulary import Vocabulary
from baco_local.text import one_line

# On x86 llama.cpp's own matrix products of these quantisations run in tiles of four rows and do
# what is left one by one: ten rows of gemma-3-270m Q4_K_M cost 74 ms, twelve 55. So a batch is
# filled up to a multiple of TILE with tokens nobody reads. (general.file_type: F32, F16, Q4_0, Q8_0,
# Q5_0, Q4_K_S, Q4_K_M, IQ4_NL, BF16; the others have no such kernel, and a row costs a row.)
TILE = 4
TILED = {"0", "1", "2", "7", "8", "14", "15", "25", "32"}
FILLERS = 2 * TILE  # tokens that filling may add to a batch: for the rows of logits, then for all

# With the accelerator (native/matmul.c) these cost the same for up to eight rows, and for nine to sixteen.
# (Q4_1, Q8_0, Q5_0, Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, Q6_K: the K ones in part.)
LANES = 8
LANED = {"3", "7", "8", "14", "15", "16", "17", "18"}
METAL_ROWS = 8  # rows that one batch on Metal takes before it falls off a cliff (llama.cpp pull request 25453)


class Model:
    """Weights and vocabulary of one file. Close it (or use it in `with`) after its contexts.

    gpu_layers: None for all, where llama.cpp was built for a GPU. vocab_only: without weights.
    """

    def __init__(self, path: Path, gpu_layers: int | None = None, vocab_only: bool = False) -> None:
        lib = llama()
        self.path = path
        parameters = lib.llama_model_default_params()
        parameters.vocab_only = vocab_only
        if not lib.llama_supports_gpu_offload():
            parameters.n_gpu_layers = 0
        elif gpu_layers is not None:
            parameters.n_gpu_layers = gpu_layers
        self.handle = lib.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self.handle:
            raise ModelProblem(
                f"{path}: llama.cpp could not load it: {one_line(last_complaint()) or 'no reason given'} (if it is cut short or damaged, download it again)"
            )
        try:
            if lib.llama_model_has_encoder(self.handle) or not lib.llama_model_has_decoder(self.handle):
                raise ModelProblem(f"{path}: is not a text-writing (decoder-only) model; use another file")
            self.vocabulary = Vocabulary(self.handle, path)
        except BaseException:
            self.close()
            raise
        self.n_ctx_train: int = lib.llama_model_n_ctx_train(self.handle)
        self.offloaded: bool = parameters.n_gpu_layers != 0
        kind = self.metadata("general.file_type")
        laned = not self.offloaded and kind in LANED and accelerated()
        self.fill = TILE if not self.offloaded and kind in TILED and not laned else 1  # see _fill_up
        self.tile = LANES if laned else self.fill  # rows of a batch that cost as much as one
        self.recurrent = bool(lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle))
        self.description = text_from(lib.llama_model_desc, self.handle) or "unknown"
        template = lib.llama_model_chat_template(self.handle, None)
        self.chat_template: str | None = template.decode("utf-8", "replace") if template else None

    def adapter(self, path: Path) -> Any:
        """The handle of a LoRA adapter over this model: a context may use it. It is freed with the model, and must
        be loaded before the context is made. Raises ModelProblem for one that doesn't fit."""
        handle = llama().llama_adapter_lora_init(self.handle, os.fsencode(path))
        if not handle:
            raise ModelProblem(
                f"{path}: llama.cpp could not lay it over {self.path.name}: {one_line(last_complaint()) or 'no reason given'}\n"
                "use an adapter that was made for this very model"
            )
        return handle

    def metadata(self, key: str) -> str | None:
        return text_from(llama().llama_model_meta_val_str, self.handle, key.encode())

    def close(self) -> None:
        if self.handle:
            llama().llama_model_free(self.handle)
            self.handle = None

    def __enter__(self) -> "Model":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_all(paths: Sequence[Path], gpu_layers: int | None = None) -> list[Model]:
    """Models, loaded side by side. Raises the first one's problem, with none left open."""
    llama()  # imported here, not in two threads at once
    with ThreadPoolExecutor(len(paths)) as pool:
        loading = [pool.submit(Model, path, gpu_layers) for path in paths]
    problems = [future.exception() for future in loading]
    if any(problems):
        for future, problem in zip(loading, problems, strict=True):
            if problem is None:
                future.result().close()
        raise next(problem for problem in problems if problem)
    return [future.result() for future in loading]
