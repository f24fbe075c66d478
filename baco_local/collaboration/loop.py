"""The decode loop: one tick evaluates at most one batch per model, and every variant in it advances.

A model is run only where its logits are needed. While aligned is inside a word, base is
not run; at the next routing point it catches up with all it missed in one batch. What is
done depends on the state alone, never on the clock: same seed, same bytes.
"""

import time
from collections import Counter

import numpy as np

from baco_local.collaboration import caches, ends, randomness, words
from baco_local.collaboration.engine import PROMPT, Engine, Reader
from baco_local.collaboration.events import Began, Ended, Event, Wrote
from baco_local.collaboration.prompts import Prompts
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.side import Span
from baco_local.collaboration.variant import ALIGNED, BASE, SPEAKERS, Held, Routing, Token, Writing
from baco_local.errors import Problem
from baco_local.native import layout as L

CHECK_EVERY = 8  # tokens between two looks for a loop
PURPOSES = (randomness.BY_BASE, randomness.BY_ALIGNED)


class Loop:
    """Writes the variants of one request. Call `tick` until `done`; events gather in `events`."""

    def __init__(self, engine: Engine, request: Request, prompts: Prompts) -> None:
        self.engine, self.request, self.before = engine, request, prompts.before
        self.stops = tuple(stop.encode() for stop in request.stop)
        self.writing: list[Writing] = []
        self.free = list(range(min(request.n, request.slots)))
        self.begun = 0  # variants that have had a slot
        self.events: list[Event] = []
        self.tokens = self.base_tokens = 0
        self.kernel_seconds = 0.0
        self.jobs = np.zeros(len(self.free), L.JOB)
        self.steer(Steering())

    def steer(self, steering: Steering) -> None:
        """Takes effect with the next token of every variant."""
        self.steering, self.settings = steering, steering.record()
        self.routes = steering.router != "aligned"

    @property
    def done(self) -> bool:
        return not self.writing and self.begun == self.request.n

    def tick(self) -> None:
        while self.free and self.begun < self.request.n:
            self.begin(self.free.pop(0))
        self.advance(BASE)
        self.advance(ALIGNED)

    def cancel(self) -> None:
        for writing in list(self.writing):
            self.end(writing, "cancelled")

    def begin(self, slot: int) -> None:
        for reader in self.engine.readers:
            reader.side.copy(PROMPT, slot + 1)
        writing = Writing(self.begun, slot, self.before, opening=self.request.first == "aligned")
        self.writing.append(writing)
        self.begun += 1
        self.events.append(Began(writing.index))

    # One model's part of a tick -----------------------------------------------------------

    def advance(self, who: int) -> None:
        reader = self.engine.readers[who]
        fresh: list[Writing] = []  # those at the prompt's end: its kept logits serve them
        batch: list[Writing] = []
        spans: list[Span] = []
        room = reader.side.n_batch
        for writing in self.served(who, reader.side.tile):
            half = writing.halves[who]
            if not caches.catch_up(reader, writing, half):
                self.end(writing, "length")
                continue
            if not half.ids:
                fresh.append(writing)
                continue
            caches.take_back(reader, writing, half)
            if len(half.ids) - half.evaluated <= room or not batch:
                span = caches.pending(reader, writing, half)
                room -= len(span.tokens)
                spans.append(span)
                batch.append(writing)
        if fresh and reader.last is not None:
            self.serve(reader, who, fresh, reader.last, np.zeros(len(fresh), np.int32))
        if batch:
            rows = reader.side.evaluate(spans)
            self.serve(reader, who, batch, rows, np.arange(len(batch), dtype=np.int32))

    def served(self, who: int, tile: int) -> list[Writing]:
        """Who gets a row now, the shortest first. One or two beyond whole tiles would cost as much as
        a tile, so they wait and go with the next batch."""
        waiting = sorted((w for w in self.writing if w.wants == who), key=lambda w: (len(w.tokens), w.slot))
        rows = sum(bool(w.text) for w in waiting)  # those without text have the prompt's logits
        over = rows % tile
        return waiting[:-over] if 0 < over <= tile // 2 and rows > tile else waiting

    def serve(self, reader: Reader, who: int, batch: list[Writing], logits: np.ndarray, rows: np.ndarray) -> None:
        """Runs the kernel over the rows, and does what it found."""
        jobs = self.jobs[: len(batch)]
        jobs["row"] = rows
        jobs["action"] = [self.action(writing, who) for writing in batch]
        jobs["flags"] = [self.flags(writing, who) for writing in batch]
        variants = np.array([writing.index for writing in batch])
        places = np.array([len(writing.tokens) for writing in batch])
        jobs["u_draw"] = randomness.uniforms(self.request.seed, variants, places, PURPOSES[who])
        jobs["u_route"] = randomness.uniforms(self.request.seed, variants, places, randomness.FOR_ROUTE)
        ids, counts = self.penalised(jobs, batch, who)
        self.run(reader, logits, jobs, ids, counts)
        looked = jobs["action"] == L.LOOK
        if looked.any():  # base waits for aligned's view of the place: where the rule fires, aligned draws
            fires = [self.fires(writing, int(top)) for writing, top in zip(batch, jobs["top"], strict=True)]
            again = jobs[looked & np.array(fires)]
            again["action"] = L.DRAW
            again["flags"] |= L.RESTRICT
            self.run(reader, logits, again, ids, counts)
            jobs[looked & np.array(fires)] = again
        for writing, job in zip(batch, jobs.tolist(), strict=True):
            found = dict(zip(L.JOB.names or (), job, strict=True))
            if found["top"] < 0:
                raise Problem(f"{reader.side.name}: the model computes no usable probabilities; use another file")
            (self.base_found if who == BASE else self.aligned_found)(writing, found)

    def run(self, reader: Reader, logits: np.ndarray, jobs: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
        started = time.perf_counter()
        reader.kernel.serve(logits, reader.classes, self.settings, jobs, ids, counts)
        self.kernel_seconds += time.perf_counter() - started

    def action(self, writing: Writing, who: int) -> int:
        if who == BASE:
            return L.ROUTE_DRAW if writing.held else L.DRAW_ROUTE
        return L.LOOK if writing.held else L.DRAW

    def flags(self, writing: Writing, who: int) -> int:
        flags = writing.flags
        if writing.held and writing.held.fires:
            flags |= L.FORMATTED
        if (who == BASE and writing.held) or (who == ALIGNED and writing.decided):
            flags |= L.RESTRICT
        return flags

    def penalised(self, jobs: np.ndarray, batch: list[Writing], who: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens that each job's penalties fall on, with how often they occurred."""
        jobs["n_penalised"] = 0
        if not self.steering.sampling.penalises:
            return NOTHING, NOTHING
        ids: list[int] = []
        counts: list[int] = []
        for job, writing in zip(jobs, batch, strict=True):
            seen = Counter(writing.halves[who].ids[-self.steering.sampling.window :])
            job["penalised"], job["n_penalised"] = len(ids), len(seen)
            ids += seen.keys()
            counts += seen.values()
        return np.array(ids, np.int32), np.array(counts, np.int32)

    def fires(self, writing: Writing, top: int) -> bool:
        """The content rule on aligned's top piece (the kernel does it for base's)."""
        found, content = int(self.engine.readers[ALIGNED].classes[top]), int(self.settings["content"][0])
        if content == L.PUNC:
            return bool(found & L.FORMAT)
        begins = writing.flags & L.OPEN or found & L.STARTS
        return bool(content == L.FC and found & L.FUNCTION and begins)

    # What follows from a draw (the numbers are the rules of the method) -----------------------

    def aligned_found(self, writing: Writing, found: dict[str, float]) -> None:
        token, p = int(found["token"]), found["p"]
        if writing.held:  # base's candidate waited for aligned's top piece
            held, writing.held = writing.held, None
            if token < 0:
                self.commit(writing, BASE, held.token, held.p, held.seen)
            else:
                self.commit(writing, ALIGNED, token, p, held.seen)
        elif writing.decided or not found["starts"] or self.inside_first_word(writing) or not self.routes:
            self.commit(writing, ALIGNED, token, p, writing.seen)
        else:
            writing.held = Held(token, p, self.fires(writing, int(found["top"])))
            writing.wants = BASE

    def base_found(self, writing: Writing, found: dict[str, float]) -> None:
        token, p, seen = int(found["token"]), found["p"], Routing(found["top_p"], found["entropy"])
        if writing.held:
            held, writing.held = writing.held, None
            if found["speaker"] == BASE and not self.barred(writing, token):
                self.commit(writing, BASE, token, p, seen)
            else:
                self.commit(writing, ALIGNED, held.token, held.p, seen)
        elif self.barred(writing, token):
            self.hand_over(writing, seen if found["starts"] else None)
        elif not found["starts"]:
            self.commit(writing, BASE, token, p, None)
        elif found["speaker"] == ALIGNED:
            self.hand_over(writing, seen)
        elif self.steering.content_source != "base" and self.settings["content"][0] != L.NO_CONTENT:
            writing.held, writing.wants = Held(token, p, seen=seen), ALIGNED
        else:
            self.commit(writing, BASE, token, p, seen)

    def barred(self, writing: Writing, token: int) -> bool:
        """Base may neither end a variant nor write the frame of its training pages."""
        if token < 0:
            return True
        reader = self.engine.readers[BASE]
        return bool(reader.classes[token] & L.END) or ends.leaks(writing.text, reader.side.vocabulary.piece(token))

    def hand_over(self, writing: Writing, seen: Routing | None) -> None:
        """Aligned writes on. A character that base left unfinished is taken out of the text first."""
        loose = words.unfinished(writing.text)
        if loose:
            before = len(writing.tokens)
            writing.cut(len(writing.text) - loose)
            length = writing.shown = len(writing.text)
            for reader, half in zip(self.engine.readers, writing.halves, strict=True):
                if half.covered > length:
                    del half.ids[len(half.ids) - (before - len(writing.tokens)) :]
                    caches.shorten(reader, writing, half, len(half.ids))
                    half.covered = length
        writing.wants, writing.decided, writing.seen = ALIGNED, True, seen

    def inside_first_word(self, writing: Writing) -> bool:
        """The first word lasts until a piece starts a new one behind a letter or digit."""
        writing.opening = writing.opening and not any(
            words.belongs_to_word(char) for char in writing.text.decode("utf-8", "replace")
        )
        return writing.opening

    def commit(self, writing: Writing, who: int, token: int, p: float, seen: Routing | None) -> None:
        reader = self.engine.readers[who]
        writing.speaker = writing.wants = who
        writing.decided, writing.seen = False, None
        if token < 0 or reader.classes[token] & L.END:
            self.end(writing, "end")
            return
        length, piece = len(writing.text), reader.side.vocabulary.piece(token)
        shown = writing.add(piece)
        for side, half in enumerate(writing.halves):
            other = self.engine.readers[side].side.vocabulary
            if side == who or (self.engine.same_vocabulary and half.covered == length and token < other.n_tokens):
                half.ids.append(token)
                half.covered = len(writing.text)
        routed = seen is not None
        record = Token(
            shown, token, SPEAKERS[who], routed, p, seen.top_p if seen else None, seen.entropy if seen else None
        )
        writing.tokens.append(record)
        self.tokens += 1
        self.base_tokens += who == BASE
        self.events.append(Wrote(writing.index, record))
        self.check_end(writing, len(piece))

    def check_end(self, writing: Writing, new: int) -> None:
        at = ends.stop_at(writing.text, self.stops, new) if self.stops else None
        if at is not None:
            writing.cut(at)
            self.end(writing, "stop-string")
        elif len(writing.tokens) % CHECK_EVERY == 0 and (loop := ends.loops_from(writing.text)) is not None:
            writing.cut(loop)
            self.end(writing, "repetition")
        elif len(writing.tokens) >= self.request.max_tokens:
            self.end(writing, "length")

    def end(self, writing: Writing, stop: str) -> None:
        self.writing.remove(writing)
        for reader in self.engine.readers:
            reader.side.cut(writing.slot + 1, 0)
        self.free.append(writing.slot)
        self.free.sort()
        steering = self.steering
        self.events.append(Ended(writing.finished(stop, self.request.seed, steering.router, steering.threshold)))


NOTHING = np.zeros(0, np.int32)
