"""Sentence vectors, offline: the weights that come inside the package `wordllama`, the extra `lab`.

Its own loader goes to the network, so its two files are read directly. The vectors are means over tokens: the order of
words makes no difference to them, and they know English best.
"""

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baco_local.errors import UsageProblem

NAME = "wordllama l2_supercat_256"
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"


@dataclass(frozen=True, slots=True)
class Embedder:
    """name: of the weights, said beside every score. table: (tokens, dimensions)."""

    name: str
    tokenizer: Any
    table: np.ndarray

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, dimensions + 1) of length 1. The last dimension is that of texts without a known token: they are all alike,
        and unlike all others."""
        vectors = np.zeros((len(texts), self.table.shape[1] + 1), np.float32)
        for row, encoded in zip(
            vectors,
            self.tokenizer.encode_batch([text.strip() for text in texts], add_special_tokens=False),
            strict=True,
        ):
            if encoded.ids:
                row[:-1] = self.table[encoded.ids].mean(axis=0)
            if not row.any():
                row[-1] = 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@functools.cache
def embedder() -> Embedder:
    """Raises UsageProblem where the extra is not installed."""
    spec = importlib.util.find_spec("wordllama")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders or not (Path(folders[0]) / WEIGHTS).exists():
        raise UsageProblem('the semantic metrics need the extra: pip install ".[lab]", in the copy of the repository')
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(folders[0]) / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    table = load_file(Path(folders[0]) / WEIGHTS)["embedding.weight"].astype(np.float32)
    return Embedder(NAME, tokenizer, table)
