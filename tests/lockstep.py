"""Measures the engine against a plain lock-step script, in one process, in turn: `python tests/lockstep.py`.

The script is what one writes without this engine: two `llama_cpp.Llama` objects, both run
for every token, numpy softmax, one variant after another. Measured twice: plain, with the
library's own defaults (half of the cores) and the prompt evaluated for every variant; and
tuned by a careful author, who uses all cores and keeps the evaluated prompt. Nothing is
asserted: it prints.
"""

import argparse
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import baco_local
from baco_local.catalog.reading import read_catalog
from baco_local.collaboration import words
from baco_local.collaboration.events import Summary
from baco_local.native import layout as L
from baco_local.native.kernel import Kernel
from baco_local.runtime import machine

PROMPT = "A title for a novel about tides"
THRESHOLD, MIN_P = 0.35, 0.05


def softmax(row: np.ndarray) -> np.ndarray:
    e = np.exp(row - row.max())
    return np.asarray(e / e.sum())


class LockStep:
    """p-punc over two high-level Llama objects, for one variant at a time."""

    def __init__(self, base: Path, aligned: Path, tuned: bool) -> None:
        import llama_cpp

        self.tuned = tuned
        options: dict[str, Any] = {"n_ctx": 1024, "verbose": False}
        if tuned:
            options |= {"n_threads": machine.cores(), "n_threads_batch": machine.cores()}
        self.base, self.aligned = (llama_cpp.Llama(str(path), **options) for path in (base, aligned))
        self.rng = np.random.default_rng(1)
        plain = f"You are a helpful assistant.\nInstruction: {PROMPT}\n".encode()
        system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        chat = f"{system}<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n".encode()
        self.prompts = []
        for llm, text in ((self.base, plain), (self.aligned, chat)):
            ids = llm.tokenize(text, add_bos=llm is self.base, special=True)
            llm.reset()
            llm.eval(ids)
            self.prompts.append((ids, self.row(llm).copy()))

    @staticmethod
    def row(llm: Any) -> np.ndarray:
        import llama_cpp

        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(llm.ctx), shape=(llm.n_vocab(),))

    def draw(self, p: np.ndarray) -> int:
        p = np.where(p >= MIN_P * p.max(), p, 0)
        return int(self.rng.choice(len(p), p=p / p.sum()))

    def variant(self, max_tokens: int) -> int:
        """Writes one variant; returns its tokens."""
        for llm, (ids, _) in zip((self.base, self.aligned), self.prompts, strict=True):
            if self.tuned:
                llm.n_tokens = len(ids)
                llm._ctx.kv_cache_seq_rm(0, len(ids), -1)
            else:
                llm.reset()
                llm.eval(ids)
        rows = [row for _, row in self.prompts]
        speaker, text, count = 1, b"", 0
        models = (self.base, self.aligned)
        while count < max_tokens:
            p = softmax(rows[speaker])
            token = self.draw(p)
            piece = models[speaker].detokenize([token], special=False)
            is_end = token == models[speaker].token_eos() or not piece
            starts = is_end or words.state(text) & L.OPEN or words.classify(piece, False) & L.STARTS
            if text and starts:
                p_base = softmax(rows[0])
                top = models[0].detokenize([int(p_base.argmax())])
                chosen = 1 if words.classify(top, False) & L.FORMAT or p_base.max() >= THRESHOLD else 0
                if chosen != speaker:
                    speaker = chosen
                    token = self.draw(softmax(rows[speaker]))
                    piece = models[speaker].detokenize([token], special=False)
                    is_end = token == models[speaker].token_eos() or not piece
            if is_end:
                if speaker == 1:
                    break
                speaker = 1
                continue
            text += piece
            count += 1
            for side, llm in enumerate(models):
                llm.eval([token] if side == speaker else llm.tokenize(piece, add_bos=False))
            rows = [self.row(llm) for llm in models]
        return count


def kernel_times(rows: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Milliseconds per row for statistics, routing and a draw: the default draw, and top-p alone."""
    found = {}
    for name in ("c", "numpy"):
        os.environ["BACO_LOCAL_KERNEL"] = name
        kernel = Kernel(rows.shape[1])
        for label, top_p, min_p in (("min-p", 1.0, MIN_P), ("top-p 0.95", 0.95, 0.0)):
            settings = np.zeros(1, L.SETTINGS)
            settings["temperature"], settings["top_p"], settings["min_p"] = 1, top_p, min_p
            settings["rule"], settings["threshold"] = L.P, THRESHOLD
            jobs = np.zeros(len(rows), L.JOB)
            jobs["row"], jobs["action"], jobs["u_draw"] = np.arange(len(rows)), L.DRAW_ROUTE, 0.5
            none = np.zeros(0, np.int32)
            best = math.inf
            for _ in range(9 if name == "c" else 2):
                started = time.perf_counter()
                kernel.serve(rows, classes, settings, jobs, none, none)
                best = min(best, (time.perf_counter() - started) / len(rows))
            found[f"{name}, {label}"] = 1000 * best
    del os.environ["BACO_LOCAL_KERNEL"]
    return found


def measure(pair: Any, n: int, max_tokens: int, seed: int) -> Summary:
    """A run of the engine that pays for its prompt too."""
    for reader in pair.engine.readers:
        reader.last = None
        reader.prompt = []
        reader.side.cut(0, 0) if reader.side.context else None
    session = pair.session(baco_local.Request(PROMPT, n=n, max_tokens=max_tokens, seed=seed))
    return next(event for event in session.events() if isinstance(event, Summary))


def in_own_thread(work: Callable[[], int]) -> tuple[int, float]:
    """Result and seconds of `work`, in a thread that ends with it, as the engine's does: OpenMP gives
    every thread that computes helpers of its own, and those of an idle one slow the others down."""
    found: list[Any] = []

    def run() -> None:
        started = time.perf_counter()
        found.extend([work(), time.perf_counter() - started])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0], found[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("-n", type=int, default=16)
    options.add_argument("--max-tokens", type=int, default=64)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peak", action="store_true", help="only one run of the engine, and its peak memory")
    given = options.parse_args()
    files = [file.path for file in read_catalog().pair("starter").files.values()]

    if given.peak:
        with baco_local.open_pair() as pair:
            measure(pair, given.n, given.max_tokens, 1)
        print(machine.peak_memory())
        return
    command = [sys.executable, __file__, "--peak", "-n", str(given.n), "--max-tokens", str(given.max_tokens)]
    peak = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    size = sum(path.stat().st_size for path in files)
    print(
        f"peak memory of one run: {peak / 1e6:.0f} MB = the two files ({size / 1e6:.0f} MB) + {(peak - size) / 1e6:.0f} MB"
    )

    with baco_local.open_pair() as pair:
        scripts: dict[str, LockStep] = {}
        in_own_thread(lambda: len(scripts.update(plain=LockStep(*files, False), tuned=LockStep(*files, True)) or ""))
        for turn in range(given.rounds):
            summary = measure(pair, given.n, given.max_tokens, turn)
            ours = summary.tokens / summary.seconds
            outside = 1 - summary.decode_seconds / summary.seconds
            print(
                f"round {turn + 1}: engine {ours:.1f} tok/s ({summary.tokens} tokens; {100 * outside:.1f} % of the time outside "
                f"llama_decode, {100 * summary.kernel_seconds / summary.seconds:.1f} % in the kernel)"
            )
            for name, script in scripts.items():
                tokens, seconds = in_own_thread(
                    lambda script=script: sum(script.variant(given.max_tokens) for _ in range(given.n))
                )
                theirs = tokens / seconds
                print(f"  lock-step, {name}: {theirs:.1f} tok/s ({tokens} tokens), ratio {ours / theirs:.2f}")
        rows = np.tile(scripts["tuned"].prompts[0][1], (16, 1)) + np.random.default_rng(0).normal(
            0, 0.5, (16, 1)
        ).astype(np.float32)
        classes = pair.engine.readers[0].classes
        times = kernel_times(rows, classes)
        for label, milliseconds in times.items():
            print(f"kernel, {rows.shape[1]} entries, {label}: {milliseconds:.3f} ms a row")
        print(f"numpy / C with top-p: {times['numpy, top-p 0.95'] / times['c, top-p 0.95']:.0f} times")


if __name__ == "__main__":
    main()
