"""Bringing one model's cache up to date with a variant: what it has read, what it must read (again)."""

from baco_local.collaboration import words
from baco_local.collaboration.engine import PROMPT, Reader
from baco_local.collaboration.side import Span
from baco_local.collaboration.variant import Half, Writing


def catch_up(reader: Reader, writing: Writing, half: Half) -> bool:
    """Turns the text that the other model wrote into this one's tokens. False: no room for them."""
    end = len(writing.text) - words.unfinished(writing.text)
    if half.covered < end:
        half.ids += reader.side.vocabulary.tokenize(bytes(writing.text[half.covered : end]))
        half.covered = end
    return len(half.ids) <= reader.budget


def take_back(reader: Reader, writing: Writing, half: Half) -> None:
    """Makes the last token wait again where nothing does: its logits are gone, and it must be repeated."""
    if half.evaluated == len(half.ids):
        shorten(reader, writing, half, len(half.ids) - 1)


def shorten(reader: Reader, writing: Writing, half: Half, length: int) -> None:
    """Leaves `length` of the evaluated tokens in the cache, or none where the model can't cut."""
    sequence = writing.slot + 1
    if half.evaluated <= length or reader.side.cut(sequence, len(reader.prompt) + length):
        half.evaluated = min(half.evaluated, length)
    else:
        reader.side.copy(PROMPT, sequence)
        half.evaluated = 0


def pending(reader: Reader, writing: Writing, half: Half) -> Span:
    """The span that brings this side up to date; all but the last batch of it is evaluated right here."""
    sequence, start = writing.slot + 1, len(reader.prompt)
    while len(half.ids) - half.evaluated > reader.side.n_batch:
        part = half.ids[half.evaluated : half.evaluated + reader.side.n_batch]
        reader.side.evaluate([Span(sequence, start + half.evaluated, part, logits=False)])
        half.evaluated += len(part)
    span = Span(sequence, start + half.evaluated, half.ids[half.evaluated :])
    half.evaluated = len(half.ids)
    return span
