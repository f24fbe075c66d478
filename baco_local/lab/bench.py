"""How fast a pair writes here, against what one would use instead and against what llama.cpp can do at all.

Everything is measured in one process and in turn, so that a busy neighbour hits all alike;
a figure is the median of its rounds, a ratio the median of the ratios within rounds.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from baco_local.collaboration.caches import PROMPT
from baco_local.collaboration.engine import Engine, Reader
from baco_local.collaboration.events import Summary, Wrote
from baco_local.collaboration.prompts import build
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import MAX_SLOTS, Request, Steering
from baco_local.collaboration.side import Span
from baco_local.lab.rivals import Alone, LockStep
from baco_local.native import addresses, products
from baco_local.native import layout as L
from baco_local.runtime import machine

Result = TypeVar("Result")
PROMPT_TEXT = "A title for a novel about tides"
RIVALS = ("lock-step", "lock-step, tuned", "aligned alone", "aligned alone, tuned")
IDEAS = {"lock-step": 2, "lock-step, tuned": 3, "aligned alone": 4, "aligned alone, tuned": 6}  # a round, of a rival
BEYOND_CACHES = 1 << 27  # bytes
STEPS = 6  # batches timed for the bound


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the engine. Seconds and tokens; first: until every idea that has a slot has its first token;
    bound: what llama.cpp needs for the same evaluations in batches of all slots."""

    variants: int
    tokens: int
    base_tokens: int
    seconds: float
    first: float
    decode: float
    kernel: float
    rows: int
    bound: float

    @property
    def rate(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)


@dataclass(slots=True)
class Bench:
    """A measurement under way: `steps` does it, the rest is what has been found so far."""

    pair: Any
    request: Request
    sizes: tuple[int, ...] = (1, 4, 8, 16, 32, 100)
    rounds: int = 2
    runs: list[dict[int, Run]] = field(default_factory=list)  # a round each, by number of variants
    rates: list[dict[str, float]] = field(default_factory=list)  # tok/s, a round each, by rival
    peaks: dict[int, int] = field(default_factory=dict)  # bytes after the first run of that size
    rows: tuple[float, float] | None = None  # milliseconds of the kernel and of reading, per row of base

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """What there is to do, with a name for it, in order. Rivals are loaded after the first round's runs
        of the engine, so that the peak memory is the engine's."""
        rivals: dict[str, LockStep | Alone] = {}
        try:
            for turn in range(self.rounds):
                self.runs.append({})
                self.rates.append({})
                for size in self.sizes:
                    yield f"{size} idea{'s' * (size > 1)}", partial(self.run, size, turn)
                for name in RIVALS:
                    yield name, partial(self.rival, name, rivals)
            yield "kernel", self.time_kernel
        finally:
            for rival in rivals.values():
                rival.close()

    @property
    def engine(self) -> Engine:
        engine: Engine = self.pair.engine
        return engine

    def run(self, size: int, turn: int) -> None:
        slots = size if size <= MAX_SLOTS // 2 else self.request.slots  # more than 32 take turns, as usual
        request = Request(self.request.prompt, n=size, max_tokens=self.request.max_tokens, seed=turn, slots=slots)
        self.runs[-1][size] = write(self.engine, request)
        self.peaks.setdefault(size, machine.peak_memory())

    def rival(self, name: str, rivals: dict[str, LockStep | Alone]) -> None:
        with products.disabled():
            if name not in rivals:
                rivals[name] = in_own_thread(lambda: self.load(name))[0]
            rival = rivals[name]
            tokens, seconds = in_own_thread(
                lambda: sum(rival.write(self.request.max_tokens) for _ in range(IDEAS[name])), rival.stopped.set
            )
        if not rival.stopped.is_set():
            self.rates[-1][name] = tokens / seconds

    def load(self, name: str) -> LockStep | Alone:
        prompts = build(self.request, *self.pair.sides)
        base, aligned = (side.files for side in self.pair.sides)
        tuned, gpu = "tuned" in name, self.pair.sides[1].offloaded
        if name.startswith("lock-step"):
            return LockStep((base, aligned), (prompts.base, prompts.aligned), tuned, gpu)
        return Alone(aligned, prompts.aligned, tuned, gpu)

    def time_kernel(self) -> None:
        self.rows, _ = in_own_thread(lambda: kernel_and_read(self.engine))


def write(engine: Engine, request: Request) -> Run:
    """A run that pays for its prompt but not for making contexts, and the bound for what it evaluated."""
    in_own_thread(lambda: engine.prepare(request, threading.Event()))
    engine.forget()
    works = [reader.side.work for reader in engine.readers]
    before = [(work.tokens, work.rows) for work in works]
    session = Session(engine, request, Steering())
    wrote: set[int] = set()
    started, first = time.perf_counter(), 0.0
    try:
        for event in session.start().events():
            if isinstance(event, Wrote) and len(wrote) < request.window:
                wrote.add(event.index)
                first = time.perf_counter() - started
            elif isinstance(event, Summary):
                summary = event
    finally:
        session.stop()
        session.join()
    done = [(work.tokens - tokens, work.rows - rows) for work, (tokens, rows) in zip(works, before, strict=True)]
    bound = summary.prompt_seconds
    for reader, (tokens, rows) in zip(engine.readers, done, strict=True):
        tokens -= len(reader.held)  # the prompt's are not written in batches
        measure = partial(batch_costs, reader, request.window, request.max_tokens // 2)
        (row, token), _ = in_own_thread(measure)
        bound += rows * row + max(0, tokens - rows) * token
    return Run(
        variants=request.n,
        tokens=summary.tokens,
        base_tokens=summary.base_tokens,
        seconds=summary.seconds,
        first=first,
        decode=summary.decode_seconds,
        kernel=summary.kernel_seconds,
        rows=sum(rows for _, rows in done),
        bound=bound,
    )


def batch_costs(reader: Reader, slots: int, length: int) -> tuple[float, float]:
    """Seconds of decoding per row with logits, and per token without, in batches of one or two tokens for
    each of `slots` sequences that already hold about `length` tokens behind the prompt."""
    side, prompt = reader.side, len(reader.held)
    ids = [reader.held[-1]]
    for slot in range(slots):
        side.copy(PROMPT, slot + 1)
        side.submit([Span(slot + 1, prompt, ids * length, logits=False)])
    at, timed = prompt + length, {}
    for tokens in (1, 2):
        seconds = []
        for _ in range(STEPS):
            before = side.work.seconds
            side.submit([Span(slot + 1, at, ids * tokens) for slot in range(slots)])
            side.rows()
            seconds.append(side.work.seconds - before)
            at += tokens
        timed[tokens] = statistics.median(seconds)
    for slot in range(slots):
        side.cut(slot + 1, 0)
    return timed[1] / slots, max(0.0, timed[2] - timed[1]) / slots


def kernel_and_read(engine: Engine) -> tuple[float, float]:
    """Milliseconds that the kernel needs for the statistics of one of base's rows, routing and a draw, and that
    only reading the row from memory takes; both by all threads at once, over more rows than caches hold,
    the fastest of some turns."""
    reader = engine.readers[0]
    row = np.zeros(len(reader.classes), np.float32) if reader.last is None else reader.last[0]
    count = max(16, BEYOND_CACHES // row.nbytes)
    rows = row + np.random.default_rng(0).standard_normal((count, len(row)), np.float32)
    jobs, settings, none = np.zeros(len(rows), L.JOB), Steering().record(), np.zeros(0, np.int32)
    jobs["row"], jobs["action"], jobs["u_draw"] = addresses(rows), L.DRAW_ROUTE, 0.5

    def timed(action: int) -> float:
        jobs["action"] = action
        best = float("inf")
        for _ in range(7):
            started = time.perf_counter()
            engine.kernel.serve(settings, jobs, none, none)
            best = min(best, time.perf_counter() - started)
        return 1000 * best / len(rows)

    return timed(L.DRAW_ROUTE), timed(L.READ)


def in_own_thread(work: Callable[[], Result], stop: Callable[[], None] = lambda: None) -> tuple[Result, float]:
    """Result and seconds of `work`, in a thread that ends with it, as the engine's does: OpenMP gives every
    thread that computes helpers of its own, and lets all of them sleep early once they are more than cores."""
    with ThreadPoolExecutor(1) as pool:
        started = time.perf_counter()
        future = pool.submit(work)
        try:
            return future.result(), time.perf_counter() - started
        except KeyboardInterrupt:
            stop()
            # llama-cpp-python points stdout and stderr at nothing while it loads: say nothing before it has
            while not future.done():
                with suppress(KeyboardInterrupt):
                    wait([future])
            raise
