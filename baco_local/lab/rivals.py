"""What one would use without this package, to measure the engine against: two scripts over `llama_cpp.Llama`.

Each is measured twice: plain, as the library comes (half of the cores; the prompt evaluated
for every idea), and tuned by a careful author (all cores, the evaluated prompt kept).
llama.cpp computes for them as it does for everybody, without this package's accelerator.
"""

import threading
from typing import Any

import numpy as np

from baco_local.collaboration import words
from baco_local.native import layout as L
from baco_local.runtime.plain import Files, last_logits, plain_model

THRESHOLD, MIN_P = 0.35, 0.05  # the engine's defaults


def softmax(row: np.ndarray) -> np.ndarray:
    e = np.exp(row - row.max())
    return np.asarray(e / e.sum())


class LockStep:
    """p-punc over two models, both run for every token, one idea after another; the two prompts are token ids."""

    def __init__(
        self, files: tuple[Files, Files], prompts: tuple[list[int], list[int]], tuned: bool, gpu: bool
    ) -> None:
        self.tuned, self.prompts = tuned, prompts
        self.stopped = threading.Event()
        n_ctx = max(map(len, prompts)) + 1024
        self.models = [plain_model(*file, n_ctx, tuned=tuned, gpu=gpu) for file in files]
        self.rng = np.random.default_rng(1)
        self.rows: list[np.ndarray] = []  # after the prompts
        for model, prompt in zip(self.models, prompts, strict=True):
            model.eval(prompt)
            self.rows.append(last_logits(model).copy())

    def draw(self, row: np.ndarray) -> int:
        p = softmax(row)
        p = np.where(p >= MIN_P * p.max(), p, 0)
        return int(self.rng.choice(len(p), p=p / p.sum()))

    def begin(self) -> list[np.ndarray]:
        for model, prompt in zip(self.models, self.prompts, strict=True):
            if self.tuned:
                model.n_tokens = len(prompt)
                model._ctx.kv_cache_seq_rm(0, len(prompt), -1)
            else:
                model.reset()
                model.eval(prompt)
        return self.rows

    def write(self, max_tokens: int) -> int:
        """Writes one idea; returns its tokens."""
        rows = self.begin()
        speaker, text, count = 1, b"", 0
        while count < max_tokens and not self.stopped.is_set():
            token, piece = self.drawn(rows, speaker)
            starts = not piece or words.state(text) & L.OPEN or words.classify(piece, False) & L.STARTS
            if text and starts:
                p = softmax(rows[0])
                top = self.models[0].detokenize([int(p.argmax())])
                chosen = 1 if words.classify(top, False) & L.FORMAT or p.max() >= THRESHOLD else 0
                if chosen != speaker:
                    speaker = chosen
                    token, piece = self.drawn(rows, speaker)
            if not piece:  # an end: only aligned may say so
                if speaker == 1:
                    break
                speaker = 1
                continue
            text += piece
            count += 1
            for side, model in enumerate(self.models):
                model.eval([token] if side == speaker else model.tokenize(piece, add_bos=False))
            rows = [last_logits(model) for model in self.models]
        return count

    def drawn(self, rows: list[np.ndarray], speaker: int) -> tuple[int, bytes]:
        """A token and its piece, empty for one that ends the text."""
        token, model = self.draw(rows[speaker]), self.models[speaker]
        return token, b"" if token == model.token_eos() else model.detokenize([token], special=False)

    def close(self) -> None:
        for model in self.models:
            model.close()


class Alone:
    """The aligned model by itself through `create_completion`, one idea after another."""

    def __init__(self, files: Files, prompt: list[int], tuned: bool, gpu: bool) -> None:
        self.prompt, self.tuned, self.seed = prompt, tuned, 0
        self.stopped = threading.Event()
        self.model = plain_model(*files, len(prompt) + 1024, tuned=tuned, gpu=gpu)

    def write(self, max_tokens: int) -> int:
        """Writes one idea; returns its tokens."""
        self.seed += 1
        if not self.tuned:
            self.model.reset()
        options: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "min_p": MIN_P, "seed": self.seed}
        found = self.model.create_completion(
            self.prompt, max_tokens=max_tokens, stopping_criteria=lambda _ids, _logits: self.stopped.is_set(), **options
        )
        return int(found["usage"]["completion_tokens"])

    def close(self) -> None:
        self.model.close()
