"""The decode loop: one tick evaluates at most one batch per model, and every variant in it advances.

There are two schedules. On demand, a model is run only where its logits are needed: while aligned
is inside a word, base is not run; at the next routing point it catches up with all it missed in
one batch; base goes first, so that a variant it hands over goes with aligned's batch of the
same tick. Eagerly, both models read every variant in every tick, so that none ever waits:
faster where a batch of a few rows costs what one row costs. What is written is the same: words
that one model turned into tokens too early are taken back and read anew. What is done depends on
the state alone, never on the clock: same seed, same bytes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from baco_local.collaboration import caches, ends, randomness, starting, words
from baco_local.collaboration.drawing import Drawing, Found, way
from baco_local.collaboration.engine import Engine, Reader
from baco_local.collaboration.events import Began, Ended, Event, Wrote
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.side import Span
from baco_local.collaboration.variant import (
    ALIGNED,
    BARRED,
    BASE,
    SPEAKERS,
    Beginning,
    Held,
    Routing,
    Start,
    Token,
    Writing,
)
from baco_local.errors import Problem
from baco_local.native import addresses
from baco_local.native import layout as L

CHECK_EVERY = 8  # tokens between two looks for a loop


@dataclass(slots=True)
class Turn:
    """What one model does in a tick: spans to evaluate for `batch`; `fresh` are served by the prompt's logits."""

    who: int
    reader: Reader
    batch: list[Writing] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    fresh: list[Writing] = field(default_factory=list)


class Loop:
    """Writes the variants of one request. Call `tick` until `done`; events gather in `events`.

    begins: what every variant starts as, the text it follows and the tokens it keeps. beginnings: what each of the first
    ones begins with instead.
    """

    def __init__(self, engine: Engine, request: Request, begins: Writing, beginnings: Sequence[Beginning] = ()) -> None:
        self.engine, self.request, self.begins = engine, request, begins
        self.stops = tuple(stop.encode() for stop in request.stop)
        self.longest = len(begins.tokens) + request.max_tokens
        self.writing: list[Writing] = []
        self.free = list(range(request.window))
        self.waiting = deque(Start(index, starting.at(beginnings, index)) for index in range(request.n))
        self.known: dict[int, Writing] = {}  # by index, the ended ones too
        self.begun = 0  # variants that have had a slot
        self.events: list[Event] = []
        self.tokens = self.base_tokens = 0
        self.drawing = Drawing(engine, len(self.free))
        self.steer(Steering())

    def steer(self, steering: Steering) -> None:
        """Takes effect with the next token of every variant."""
        self.drawing.way = way(steering)

    @property
    def done(self) -> bool:
        return not self.writing and not self.waiting

    def tick(self) -> None:
        while self.free and self.waiting:
            self.begin(self.free.pop(0), self.waiting.popleft())
        if self.eager or self.engine.parallel:
            self.step([BASE, ALIGNED])
        else:
            self.step([BASE])
            self.step([ALIGNED])

    @property
    def eager(self) -> bool:  # do both models read every variant at once, asked for or not?
        few = len(self.writing) <= self.engine.eager
        return few and any(self.drawing.way_of(writing).mixes for writing in self.writing)

    def step(self, speakers: Sequence[int]) -> None:
        """One batch of each of these models; then the kernel, over all rows that variants wait for. Those that
        grew, or wait for a row that isn't there, go on with the next batch."""
        eager = self.eager
        turns = [self.turn(who, eager) for who in speakers]
        for turn in turns:
            if turn.spans:
                turn.reader.side.submit(turn.spans)
        rows: dict[tuple[int, int], int] = {}
        for turn in turns:
            if turn.fresh and turn.reader.last is not None:
                [last] = addresses(turn.reader.last)
                rows |= {(turn.who, writing.index): last for writing in turn.fresh}
            if turn.batch:
                found = addresses(turn.reader.side.rows())
                rows |= {(turn.who, writing.index): row for writing, row in zip(turn.batch, found, strict=True)}
        at = {writing.index: (len(writing.tokens), len(writing.text)) for writing in self.writing}
        while served := [
            (writing.wants, writing)
            for writing in self.writing
            if (writing.wants, writing.index) in rows and at[writing.index] == (len(writing.tokens), len(writing.text))
        ]:
            self.serve(served, [rows.pop((who, writing.index)) for who, writing in served])

    def cancel(self) -> None:
        for writing in list(self.writing):
            self.end(writing, "cancelled")

    def branch(self, index: int, source: int, at: int) -> None:
        """Variant `index` begins with the first `at` tokens of variant `source`, or a little less: with
        whole characters. It has the next free slot."""
        if writing := self.known.get(source):
            while at > len(self.begins.tokens) and words.unfinished(writing.text[: writing.end_of(at)]):
                at -= 1
            kept = tuple(writing.tokens[: max(at, len(self.begins.tokens))])
            own = writing.way.steering if writing.way else None
            self.waiting.appendleft(Start(index, Beginning(kept, steering=own), writing))

    def add(self, index: int, beginning: Beginning) -> None:
        """Variant `index` has the next free slot."""
        self.waiting.appendleft(Start(index, beginning))

    def begin(self, slot: int, start: Start) -> None:
        parent = start.parent if start.parent in self.writing else None
        writing = starting.started(self.engine, self.begins, slot, start, parent)
        writing.key = randomness.key(self.request.seed, writing.index)
        self.writing.append(writing)
        self.known[writing.index] = writing
        self.begun += 1
        self.events.append(Began(writing.index, tuple(writing.tokens), writing.parent))

    # One tick: what each model evaluates, then the kernel over all rows --------------------

    def turn(self, who: int, eager: bool) -> Turn:
        reader = self.engine.readers[who]
        turn = Turn(who, reader)
        room = reader.side.n_batch
        for writing in self.whole_tiles(turn, eager):
            half = writing.halves[who]
            if not turn.batch or (len(half.ids) - half.evaluated <= room and len(turn.batch) < reader.side.most_rows):
                span = caches.pending(reader, writing, half)
                room -= len(span.tokens)
                turn.spans.append(span)
                turn.batch.append(writing)
        return turn

    def whole_tiles(self, turn: Turn, eager: bool) -> list[Writing]:
        """Who has tokens to be read now, the shortest first; notes in `turn` who doesn't need to. A few tokens
        beyond whole tiles would cost as much as a tile, so the longest wait and go with the next batch."""
        who, reader = turn.who, turn.reader
        spare = reader.cells - sum(len(w.halves[who].ids) - reader.begun for w in self.writing)
        ready: list[Writing] = []
        tokens = 0
        for writing in sorted(self.writing, key=lambda w: (len(w.tokens), w.slot)):
            if writing.wants != who and not (eager and self.drawing.way_of(writing).mixes):
                continue
            half, before = writing.halves[who], len(writing.halves[who].ids)
            fits = caches.catch_up(reader, writing, half)
            spare -= len(half.ids) - before
            if not fits or spare < 0:
                spare += len(half.ids) - reader.begun
                self.end(writing, "length")
            elif len(half.ids) == reader.begun:  # the prompt's logits serve it
                turn.fresh.append(writing)
            else:
                caches.take_back(reader, writing, half)
                ready.append(writing)
                tokens += len(half.ids) - half.evaluated
        tile = reader.side.tile
        over = tokens % tile
        while 0 < over <= tile // 2 and tokens > tile and len(ready) > 1:
            half = ready[-1].halves[who]
            if (waiting := len(half.ids) - half.evaluated) > over:
                break
            ready.pop()
            over -= waiting
            tokens -= waiting
        return ready

    def serve(self, served: list[tuple[int, Writing]], rows: list[int]) -> None:
        """Asks the kernel, and does what it found. rows: the addresses of their logits."""
        for (who, writing), found in zip(served, self.drawing.draw(served, rows), strict=True):
            if found.top < 0:
                name = self.engine.readers[who].side.name
                raise Problem(f"{name}: the model computes no usable probabilities; use another file")
            (self.base_found if who == BASE else self.aligned_found)(writing, found)

    # What follows from a draw -----------------------

    def aligned_found(self, writing: Writing, found: Found) -> None:
        token, p, steered = found.token, found.p, self.drawing.way_of(writing)
        if writing.held and (before := writing.held.seen):  # base's candidate waited for aligned's top piece
            held, writing.held = writing.held, None
            seen = self.drawing.both(writing, before, self.drawing.rules(writing, ALIGNED, found.top))
            if token < 0:
                self.commit(writing, BASE, held.token, held.p, seen)
            else:
                self.commit(writing, ALIGNED, token, p, seen)
        elif writing.decided or not found.starts or self.inside_first_word(writing) or not steered.routes:
            rules = self.drawing.rules(writing, ALIGNED, found.top)
            self.commit(writing, ALIGNED, token, p, writing.seen and self.drawing.both(writing, writing.seen, rules))
        else:
            writing.held = Held(token, p, self.drawing.rules(writing, ALIGNED, found.top))
            writing.wants = BASE

    def base_found(self, writing: Writing, found: Found) -> None:
        token, p = found.token, found.p
        seen = Routing(found.top_p, found.entropy, self.drawing.rules(writing, BASE, found.top))
        barred = token >= 0 and self.barred(writing, token)
        if barred and found.speaker == BASE:
            seen = replace(seen, rules=seen.rules | BARRED)
        if writing.held:
            held, writing.held = writing.held, None
            seen = self.drawing.both(writing, seen, held.rules)
            if found.speaker == BASE and token >= 0 and not barred:
                self.commit(writing, BASE, token, p, seen)
            else:
                self.commit(writing, ALIGNED, held.token, held.p, seen)
        elif token < 0 or barred:
            self.hand_over(writing, seen if found.starts else None)
        elif not found.starts:
            self.commit(writing, BASE, token, p, None)
        elif found.speaker == ALIGNED:
            self.hand_over(writing, seen)
        elif self.drawing.way_of(writing).asks_aligned:
            writing.held, writing.wants = Held(token, p, seen=seen), ALIGNED
        else:
            self.commit(writing, BASE, token, p, seen)

    def barred(self, writing: Writing, token: int) -> bool:
        """Base may neither end a variant nor write the frame of its training pages."""
        reader = self.engine.readers[BASE]
        return bool(reader.classes[token] & L.END) or ends.leaks(writing.text, reader.side.vocabulary.piece(token))

    def hand_over(self, writing: Writing, seen: Routing | None) -> None:
        """Aligned writes on. A character that base left unfinished is taken out of the text first."""
        caches.drop_unfinished(self.engine, writing)
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
        length = len(writing.text)
        shown = caches.append(self.engine, writing, who, token)
        routed = seen is not None
        figures = (seen.top_p, seen.entropy, seen.rules) if seen else (None, None, 0)
        record = Token(shown, token, SPEAKERS[who], routed, p, *figures)
        writing.tokens.append(record)
        self.tokens += 1
        self.base_tokens += who == BASE
        self.events.append(Wrote(writing.index, record))
        self.check_end(writing, len(writing.text) - length)

    def check_end(self, writing: Writing, new: int) -> None:
        at = ends.stop_at(writing.text, self.stops, new) if self.stops else None
        if at is not None:
            writing.cut(at)
            self.end(writing, "stop-string")
        elif len(writing.tokens) % CHECK_EVERY == 0 and (loop := ends.loops_from(writing.text)) is not None:
            writing.cut(loop)
            self.end(writing, "repetition")
        elif len(writing.tokens) >= self.longest:
            self.end(writing, "length")

    def end(self, writing: Writing, stop: str) -> None:
        self.writing.remove(writing)
        for reader in self.engine.readers:
            reader.side.cut(writing.slot + 1, 0)
        self.free.append(writing.slot)
        self.free.sort()
        steering = self.drawing.way_of(writing).steering
        self.events.append(Ended(writing.finished(stop, self.request.seed, steering.router, steering.threshold)))
