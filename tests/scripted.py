"""A side whose distributions are written by hand: for the loop's logic, without models."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from baco_local.collaboration.engine import Engine
from baco_local.runtime.spans import Span, Work

Distribution = Mapping[str, float]
Script = Callable[
    [str], Distribution
]  # the text so far, prompt included (half a character as surrogates), to the next piece's probabilities
END = "<end>"


class ScriptedVocabulary:
    """Pieces are matched longest first; END ends a text and has no piece. A NUL byte is the start."""

    def __init__(self, pieces: Sequence[str | bytes]) -> None:
        self.names = ["<start>", END, *pieces]
        self.table = [b"", b"", *[p.encode() if isinstance(p, str) else p for p in pieces]]
        self.n_tokens = len(self.table)
        self.ends = np.array([True, True] + [False] * len(pieces))
        self.bos, self.eos = 0, 1

    def id(self, name: str | bytes) -> int:
        return self.names.index(name)

    def piece(self, token: int) -> bytes:
        return self.table[token]

    def pieces(self) -> list[bytes]:
        return self.table

    def text_of(self, token: int) -> str:
        return str(self.names[token])

    def memo(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        return compute()

    def tokenize(self, text: bytes, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        ids, at = [0] if add_special else [], 0
        while at < len(text):
            fitting = [t for t in range(2, self.n_tokens) if text.startswith(self.table[t], at)]
            if not fitting:
                at += 1  # prompts may hold anything; the script sees what is left
                continue
            ids.append(max(fitting, key=lambda t: len(self.table[t])))
            at += len(self.table[ids[-1]])
        return ids


class ScriptedSide:
    """See `collaboration.side.Side`. Keeps every evaluated span in `calls`, a list per batch."""

    chat_template: str | None = "{{ messages[-1]['content'] }}"
    n_batch = 64

    def __init__(self, name: str, pieces: Sequence[str | bytes], script: Script, *, cuts: bool = True) -> None:
        self.name, self.script, self.cuts = name, script, cuts
        self.vocabulary = ScriptedVocabulary(pieces)
        self.n_ctx, self.tile, self.threads, self.offloaded = 1000, 1, 1, False
        self.most_rows, self.eager = 64, 0
        self.work = Work()
        self.held: dict[int, list[int]] = {}
        self.calls: list[list[Span]] = []

    def room(self, n_sequences: int, n_cells: int) -> bool:
        if self.held and len(self.held) >= n_sequences:
            return True
        self.held = {sequence: [] for sequence in range(n_sequences)}
        return False

    def evaluate(self, spans: Sequence[Span]) -> np.ndarray:
        assert 0 < sum(len(span.tokens) for span in spans) <= self.n_batch
        self.calls.append(list(spans))
        rows = []
        for span in spans:
            held = self.held[span.sequence]
            assert span.start == len(held), "a span must continue its sequence"
            held += span.tokens
            if span.logits:
                rows.append(self.row(b"".join(map(self.vocabulary.piece, held)).decode("utf-8", "surrogateescape")))
        return np.array(rows, np.float32).reshape(len(rows), self.vocabulary.n_tokens)

    def submit(self, spans: Sequence[Span]) -> None:
        self.newest = self.evaluate(spans)

    def rows(self) -> np.ndarray:
        return self.newest

    def row(self, text: str) -> np.ndarray:
        row = np.full(self.vocabulary.n_tokens, -np.inf, np.float32)
        for name, probability in self.script(text).items():
            row[self.vocabulary.id(name)] = np.log(probability)
        return row

    def copy(self, source: int, target: int) -> None:
        self.held[target] = list(self.held[source])

    def cut(self, sequence: int, length: int) -> bool:
        held = self.held[sequence]
        if length >= len(held):
            return True
        kept = self.cuts or length == 0
        self.held[sequence] = held[:length] if kept else []
        return kept


def engine(base: ScriptedSide, aligned: ScriptedSide) -> Engine:
    return Engine(base, aligned, base.vocabulary.table == aligned.vocabulary.table)
