"""How a variant begins: as all do, with tokens of an earlier one, or as a copy of one that is still being written."""

import time
from collections.abc import Sequence
from copy import deepcopy

from baco_local.collaboration import caches
from baco_local.collaboration.caches import PROMPT
from baco_local.collaboration.drawing import way
from baco_local.collaboration.engine import Engine
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


def at(beginnings: Sequence[Beginning], index: int) -> Beginning:
    return beginnings[index] if index < len(beginnings) else Beginning()


def started(engine: Engine, begins: Writing, slot: int, start: Start, parent: Writing | None) -> Writing:
    """The variant in its slot. begins: what all of the request begin as; parent: of `start`, if it is still being written."""
    kept = start.beginning.kept
    if parent and tuple(parent.tokens[: len(kept)]) == kept:
        writing = Writing(start.index, slot, begins.before, opening=begins.opening)
        caches.branch(engine, writing, parent, kept)
    else:
        writing = deepcopy(begins)
        writing.index, writing.slot, writing.began = start.index, slot, time.perf_counter()
        for reader, half in zip(engine.readers, writing.halves, strict=True):
            reader.side.copy(PROMPT, slot + 1)
            half.evaluated = reader.begun
        caches.replay(engine, writing, kept[len(writing.tokens) :])
    if writing.tokens:
        writing.speaker = writing.wants = SPEAKERS.index(writing.tokens[-1].speaker)
    if start.beginning.anew:
        wait_for_router(writing, start.beginning.anew)
    if start.beginning.steering:
        writing.way = way(start.beginning.steering)
    writing.kept, writing.parent = len(writing.tokens), start.parent.index if start.parent else None
    return writing


def wait_for_router(writing: Writing, token: Token) -> None:
    """As it was when `token` was written: with aligned's candidate waiting, or where base wrote, aligned's turn."""
    if token.base_top_p is None or token.base_entropy is None:
        return  # no routing point
    if token.speaker == SPEAKERS[ALIGNED]:
        writing.held, writing.wants = Held(token.id, token.p, token.rules & ~BARRED), BASE
    else:
        writing.wants, writing.decided = ALIGNED, True
        writing.seen = Routing(token.base_top_p, token.base_entropy, token.rules)
