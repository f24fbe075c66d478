"""A model's vocabulary: tokens to bytes and back, and whether two vocabularies are one.

Asking llama.cpp for 262,144 pieces takes half a second, so they are kept on disk per model file.
"""

import contextlib
import ctypes
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from baco_local import paths
from baco_local.catalog.vocabularies import SPARE_TOKENS
from baco_local.errors import ModelProblem
from baco_local.runtime.llama import llama, version

UNKNOWN, UNUSED, CONTROL = 1, 2, 8  # llama_token_attr
LONGEST_WORD, MOST_WORDS = 40, 20_000  # bytes, entries: of the texts whose tokens are remembered


class Vocabulary:
    """n_tokens pieces of bytes. Control tokens have the empty piece.

    ends: (n_tokens,) bool, tokens that end a text or can't be part of one.
    """

    def __init__(self, model: int, path: Path) -> None:
        self.handle = llama().llama_model_get_vocab(model)
        self.n_tokens: int = llama().llama_vocab_n_tokens(self.handle)
        self.kind: int = llama().llama_vocab_type(self.handle)
        if self.n_tokens < 1 or self.kind == 0:
            raise ModelProblem(f"{path}: has no vocabulary, so it can't write text; use a language model's GGUF file")
        self._key = cache_key(path)
        self._memo: dict[str, np.ndarray] = {}
        self._words: dict[bytes, list[int]] = {}
        packed = self.memo("pieces", self._read_pieces).tobytes()
        self._offsets = np.frombuffer(packed, dtype=np.uint32, count=self.n_tokens + 1)
        self._blob = packed[self._offsets.nbytes :]
        self.ends = self.memo("ends", self._read_ends)

    def piece(self, token: int) -> bytes:
        return self._blob[self._offsets[token] : self._offsets[token + 1]]

    def pieces(self) -> list[bytes]:
        return [self.piece(token) for token in range(self.n_tokens)]

    def text_of(self, token: int) -> str:
        """The token's own name, control tokens included (`<|im_end|>`); '' for -1."""
        raw = llama().llama_vocab_get_text(self.handle, token) if token >= 0 else b""
        return (raw or b"").decode("utf-8", "replace")

    @property
    def bos(self) -> int:
        return int(llama().llama_vocab_bos(self.handle))

    @property
    def eos(self) -> int:
        return int(llama().llama_vocab_eos(self.handle))

    def tokenize(self, text: bytes, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        """Token ids of `text`. With the defaults, their pieces joined are `text` again wherever the
        vocabulary can write it: some put a space before a text, which is taken back here."""
        ids = self._tokenize(text, add_special, parse_special)
        if add_special and len(ids) > 1 and ids[-1] == self.eos and llama().llama_vocab_get_add_eos(self.handle):
            ids.pop()  # the text is to be continued
        if add_special or parse_special or b"".join(map(self.piece, ids)) == text:
            return list(ids)
        if text.startswith(b" "):
            ids = self._tokenize(text[1:], False, False)
            if b"".join(map(self.piece, ids)) == text:
                return list(ids)
        guarded = self._tokenize(b"\n" + text, False, False)
        for first in range(1, min(3, len(guarded))):
            if b"".join(map(self.piece, guarded[first:])) == text:
                return guarded[first:]
        return list(self._tokenize(text, False, False))

    def _tokenize(self, text: bytes, add_special: bool, parse_special: bool) -> list[int]:
        """As llama.cpp does it. Words, which pass between the models over and over, are remembered."""
        if add_special or parse_special or len(text) > LONGEST_WORD:
            return self._tokenize_anew(text, add_special, parse_special)
        if text not in self._words:
            if len(self._words) >= MOST_WORDS:
                self._words.clear()
            self._words[text] = self._tokenize_anew(text, False, False)
        return self._words[text]

    def _tokenize_anew(self, text: bytes, add_special: bool, parse_special: bool) -> list[int]:
        size = len(text) + 8
        while True:
            buffer = (ctypes.c_int32 * size)()
            count = llama().llama_tokenize(self.handle, text, len(text), buffer, size, add_special, parse_special)
            if count >= 0:
                return list(buffer[:count])
            size = -count

    def same_as(self, other: "Vocabulary") -> bool:
        """Do token ids mean the same text in both, up to a few tokens added at the end?"""
        return self.kind == other.kind and self.differences(other, 1) == []

    def differences(self, other: "Vocabulary", limit: int = 5) -> list[int]:
        """The first ids whose pieces differ; the shorter vocabulary's end when the sizes are too far apart."""
        n = min(self.n_tokens, other.n_tokens)
        found: list[int] = []
        if not np.array_equal(self._offsets[: n + 1], other._offsets[: n + 1]) or (
            self._blob[: self._offsets[n]] != other._blob[: other._offsets[n]]
        ):
            for token in range(n):
                if self.piece(token) != other.piece(token) and self.text_of(token) != other.text_of(token):
                    found.append(token)
                    if len(found) == limit:
                        return found
        if abs(self.n_tokens - other.n_tokens) > SPARE_TOKENS:
            found.append(n)
        return found

    def memo(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """`compute()`, remembered on disk for this model file under `name` (change it with the meaning)."""
        if name not in self._memo:
            path = paths.folder("cache") / "vocabularies" / f"{self._key}-{name}.npy"
            try:
                self._memo[name] = np.load(path, allow_pickle=False)
            except (OSError, ValueError, EOFError):
                self._memo[name] = compute()
                buffer = io.BytesIO()
                np.save(buffer, self._memo[name], allow_pickle=False)
                with contextlib.suppress(OSError):
                    paths.made("cache", "vocabularies")
                    paths.write_atomically(path, buffer.getvalue())
        return self._memo[name]

    def _read_pieces(self) -> np.ndarray:
        """n_tokens + 1 offsets of 4 bytes, then all pieces in a row."""
        buffer = ctypes.create_string_buffer(256)
        to_piece, handle = llama().llama_token_to_piece, self.handle
        pieces = []
        for token in range(self.n_tokens):
            length = to_piece(handle, token, buffer, len(buffer), 0, False)
            if length < 0:
                buffer = ctypes.create_string_buffer(-length)
                length = to_piece(handle, token, buffer, len(buffer), 0, False)
            pieces.append(buffer.raw[:length] if length else b"")
        offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.uint32)
        return np.frombuffer(offsets.tobytes() + b"".join(pieces), dtype=np.uint8)

    def _read_ends(self) -> np.ndarray:
        attribute, is_eog = llama().llama_vocab_get_attr, llama().llama_vocab_is_eog
        barred = UNKNOWN | UNUSED | CONTROL
        ends = [bool(attribute(self.handle, t) & barred or is_eog(self.handle, t)) for t in range(self.n_tokens)]
        return np.array(ends, dtype=bool)


def cache_key(path: Path) -> str:
    """Changes when the file does, or llama.cpp's reading of it may have."""
    facts = path.stat()
    told = f"|{facts.st_size}|{facts.st_mtime_ns}|{version()}".encode()
    return hashlib.sha256(os.fsencode(path.resolve()) + told).hexdigest()[:24]
