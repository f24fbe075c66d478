"""llama-cpp-python's high-level class, for measuring against it: what one uses without this package's engine."""

from pathlib import Path
from typing import Any

from baco_local.runtime import machine
from baco_local.runtime.llama import llama

Files = tuple[Path, Path | None]  # a model, and an adapter over it


def plain_model(path: Path, lora: Path | None, n_ctx: int, *, tuned: bool, gpu: bool) -> Any:
    """A `llama_cpp.Llama`. tuned: on all physical cores; otherwise on as many as the library takes, half of them."""
    llama()  # our log, before that class sets another one
    import llama_cpp

    options: dict[str, Any] = {"n_ctx": n_ctx, "verbose": False, "n_gpu_layers": -1 if gpu else 0}
    if lora:
        options["lora_path"] = str(lora)
    if tuned:
        options |= {"n_threads": machine.cores(), "n_threads_batch": machine.cores()}
    return llama_cpp.Llama(str(path), **options)


def last_logits(model: Any) -> Any:
    """(n_vocab,) float32: after the newest token. They live in llama.cpp's memory until the next one."""
    import numpy as np

    return np.ctypeslib.as_array(llama().llama_get_logits(model.ctx), shape=(model.n_vocab(),))
