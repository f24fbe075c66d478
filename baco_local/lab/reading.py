"""Lets one model read many texts that begin alike, and looks at its logits behind each."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from baco_local.collaboration.caches import PROMPT
from baco_local.collaboration.side import Side, Span, evaluate
from baco_local.errors import RoomProblem

Found = TypeVar("Found")
TOGETHER = 16  # texts read at once


def shared(texts: Sequence[Sequence[int]]) -> int:
    """How many tokens all begin with; one less than the shortest has, at most, as each is to have logits of its own."""
    length = min(len(text) for text in texts) - 1
    first = texts[0]
    for text in texts[1:]:
        length = next((at for at in range(length) if text[at] != first[at]), length)
    return length


def behind(
    side: Side, chains: Sequence[Sequence[Sequence[int]]], look: Callable[[np.ndarray], Found]
) -> Iterator[list[Found]]:
    """For each chain of texts, what `look` finds in the (n_tokens,) logits behind each of them. A text of a chain is read from
    where it differs from the one before it, and all from where they differ from each other.

    Raises RoomProblem for a text that is longer than the model's context.
    """
    every = [text for chain in chains for text in chain]
    longest = max(map(len, every))
    if longest > side.n_ctx:
        raise RoomProblem(
            f"{side.name}: a text of {longest} tokens, and its context holds {side.n_ctx}\nuse another judge (--judge FILE), or none (--judge none)"
        )
    start = shared(every)
    side.room(TOGETHER + 1, start + TOGETHER * (longest - start))
    side.cut(PROMPT, 0)
    read(side, [Span(PROMPT, 0, every[0][:start], logits=False)] if start else [], look)
    for at in range(0, len(chains), TOGETHER):
        group = chains[at : at + TOGETHER]
        found: list[list[Found]] = [[] for _ in group]
        for turn in range(max(map(len, group))):
            spans, whose = [], []
            for index, chain in enumerate(group):
                if turn < len(chain):
                    kept = start
                    if turn:
                        kept = max(start, shared([chain[turn - 1], chain[turn]]))
                    if not turn or not side.cut(index + 1, kept):
                        side.copy(PROMPT, index + 1)
                        kept = start
                    spans.append(Span(index + 1, kept, chain[turn][kept:]))
                    whose.append(index)
            for index, seen in zip(whose, read(side, spans, look), strict=True):
                found[index].append(seen)
        yield from found


def read(side: Side, spans: Sequence[Span], look: Callable[[np.ndarray], Found]) -> list[Found]:
    """What `look` finds behind each span that wants logits; in as few batches as they fit into."""
    found: list[Found] = []
    batch: list[Span] = []
    room = side.n_batch

    def finish() -> None:
        nonlocal batch, room
        if batch:
            found.extend(look(row) for row in evaluate(side, batch))
        batch, room = [], side.n_batch

    for span in spans:
        start = 0
        while start < len(span.tokens):
            part = span.tokens[start : start + room]
            start += len(part)
            last = start == len(span.tokens)
            batch.append(Span(span.sequence, span.start + start - len(part), part, logits=span.logits and last))
            room -= len(part)
            if room == 0 or len(batch) == side.most_rows:
                finish()
    finish()
    return found
