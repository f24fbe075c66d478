"""What variants ask of the kernel, packed for one call, and what it found."""

import functools
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from baco_local.collaboration import randomness
from baco_local.collaboration.engine import Engine
from baco_local.collaboration.settings import Steering
from baco_local.collaboration.variant import ALIGNED, BARRED, BASE, Routing, Writing
from baco_local.native import layout as L

PURPOSES = (randomness.BY_BASE, randomness.BY_ALIGNED)
NOTHING = np.zeros(0, np.int32)
Served = list[tuple[int, Writing]]  # which model's row serves which variant


class Found(NamedTuple):
    """What the kernel found for one job; fields as in its layout."""

    p: float
    top_p: float
    entropy: float
    token: int
    top: int
    speaker: int
    starts: int


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A steering as the kernel reads it. settings: (1,) SETTINGS; content: the bits of its content rule; routes: does the
    router ever ask base? mixes: do both models write? asks_aligned: does its content rule look at aligned's top piece?"""

    steering: Steering
    settings: np.ndarray
    content: int
    routes: bool
    mixes: bool
    asks_aligned: bool


@functools.lru_cache(maxsize=1024)
def way(steering: Steering) -> Way:
    settings = steering.record()
    routes, mixes = steering.router != "aligned", steering.router not in ("base", "aligned")
    content = int(settings["content"][0])
    return Way(
        steering, settings, content, routes, mixes, content != L.NO_CONTENT and steering.content_source != "base"
    )


class Drawing:
    """Jobs for so many variants at once, and the way they are drawn, but those that have one of their own."""

    def __init__(self, engine: Engine, slots: int) -> None:
        self.engine = engine
        self.seconds = 0.0  # in the kernel so far
        self.jobs = np.zeros(slots, L.JOB)
        self.memory = self.jobs.view(np.uint8).data
        self.way = way(Steering())

    def way_of(self, writing: Writing) -> Way:
        return writing.way or self.way

    def draw(self, served: Served, rows: list[int]) -> list[Found]:
        """A finding for each variant that is served; rows: the addresses of their logits."""
        ways = {id(found): found for found in (self.way_of(writing) for _, writing in served)}
        if len(ways) == 1:
            return self.drawn(self.way_of(served[0][1]), served, rows)
        findings: dict[int, Found] = {}  # by place in `served`
        for found in ways.values():
            at = [place for place, (_, writing) in enumerate(served) if self.way_of(writing) is found]
            findings |= zip(
                at, self.drawn(found, [served[place] for place in at], [rows[place] for place in at]), strict=True
            )
        return [findings[place] for place in range(len(served))]

    def drawn(self, way: Way, served: Served, rows: list[int]) -> list[Found]:
        """For variants that are all steered one way."""
        ids, counts, starts = self.penalised(way, served)
        at, coins, looks = 0, way.steering.router == "rand", False
        for (who, writing), row, (first, n) in zip(served, rows, starts, strict=True):
            place = len(writing.tokens)
            draw = randomness.uniform(writing.key, place, PURPOSES[who])
            coin = randomness.uniform(writing.key, place, randomness.FOR_ROUTE) if coins else 0.0
            action, flags = self.action(writing, who), self.flags(writing, who)
            looks = looks or action == L.LOOK
            L.ASKED.pack_into(self.memory, at, row, who, action, flags, n, first, draw, coin)
            at += L.JOB.itemsize
        jobs = self.jobs[: len(served)]
        self.run(way, jobs, ids, counts)
        if looks:
            self.look_again(way, jobs, served, ids, counts)
        return [
            Found._make(L.FOUND.unpack_from(self.memory, at * L.JOB.itemsize + L.FOUND_AT)) for at in range(len(served))
        ]

    def look_again(self, way: Way, jobs: np.ndarray, served: Served, ids: np.ndarray, counts: np.ndarray) -> None:
        """Where base waited for aligned's view of the place and the content rule fires, aligned draws."""
        fires = [
            bool(way.content & self.rules(writing, ALIGNED, int(top)))
            for (_, writing), top in zip(served, jobs["top"], strict=True)
        ]
        chosen = (jobs["action"] == L.LOOK) & np.array(fires)
        again = jobs[chosen]
        again["action"] = L.DRAW
        again["flags"] |= L.RESTRICT
        self.run(way, again, ids, counts)
        jobs[chosen] = again

    def run(self, way: Way, jobs: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
        started = time.perf_counter()
        self.engine.kernel.serve(way.settings, jobs, ids, counts)
        self.seconds += time.perf_counter() - started

    def action(self, writing: Writing, who: int) -> int:
        if who == BASE:
            return L.ROUTE_DRAW if writing.held else L.DRAW_ROUTE
        return L.LOOK if writing.held else L.DRAW

    def flags(self, writing: Writing, who: int) -> int:
        flags = writing.flags
        if writing.held and writing.held.rules & self.way_of(writing).content:
            flags |= L.FORMATTED
        if (who == BASE and writing.held) or (who == ALIGNED and writing.decided):
            flags |= L.RESTRICT
        return flags

    def penalised(self, way: Way, served: Served) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
        """The tokens that penalties fall on, with how often they occurred; and for each job where its own
        begin, and how many they are."""
        sampling = way.steering.sampling
        if not sampling.penalises:
            return NOTHING, NOTHING, [(0, 0)] * len(served)
        ids: list[int] = []
        counts: list[int] = []
        starts = []
        for who, writing in served:
            seen = Counter(writing.halves[who].ids[-sampling.window :])
            starts.append((len(ids), len(seen)))
            ids += seen.keys()
            counts += seen.values()
        return np.array(ids, np.int32), np.array(counts, np.int32), starts

    def rules(self, writing: Writing, who: int, top: int) -> int:
        """The content rules that fire on this top piece of a model's (the kernel knows of base's and the rule in use)."""
        found = int(self.engine.readers[who].classes[top])
        begins = writing.flags & L.OPEN or found & L.STARTS
        return (L.PUNC if found & L.FORMAT else 0) | (L.FC if found & L.FUNCTION and begins else 0)

    def both(self, writing: Writing, seen: Routing, aligned: int) -> Routing:
        """`seen` with the content rules of whom they look at: base's alone, aligned's, or either's."""
        source = self.way_of(writing).steering.content_source
        if source == "base":
            return seen
        base = seen.rules if source == "either" else seen.rules & BARRED
        return replace(seen, rules=base | aligned)
