"""Bringing one model's cache up to date with a variant: what it has read, what it must read (again).

Sequence PROMPT holds what all variants of a session begin with; slot s writes in sequence s + 1.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from baco_local.collaboration import words
from baco_local.collaboration.side import Span, evaluate
from baco_local.collaboration.variant import BASE, SPEAKERS, Half, Token, Writing
from baco_local.native import layout as L

if TYPE_CHECKING:
    from baco_local.collaboration.engine import Engine, Reader

PROMPT = 0


def append(engine: "Engine", writing: Writing, who: int, token: int) -> str:
    """Adds a token of `who` to the text, and to the ids of whom it means the same. Returns the characters it completes."""
    length, reader = len(writing.text), engine.readers[who]
    state = writing.flags
    if state & L.OPEN or (reader.classes[token] & L.STARTS and not state & L.UNFINISHED):
        writing.words.append(length)
    shown = writing.add(reader.side.vocabulary.piece(token))
    for side, half in enumerate(writing.halves):
        other = engine.readers[side].side.vocabulary
        if side == who or (engine.same_vocabulary and half.covered == length and token < other.n_tokens):
            half.ids.append(token)
            half.covered = len(writing.text)
            half.loose = half.loose_bytes = 0
    return shown


def catch_up(reader: "Reader", writing: Writing, half: Half) -> bool:
    """Turns the words that the other model wrote into this one's tokens, one by one. False: no room for them."""
    end = len(writing.text) - words.unfinished(writing.text)
    if half.covered < end:
        at = bisect_left(writing.words, half.covered)
        if half.loose and writing.words[at : at + 1] != [half.covered]:  # the word went on
            del half.ids[-half.loose :]
            half.covered -= half.loose_bytes
            shorten(reader, writing, half, len(half.ids))
        for bound in [*writing.words[bisect_right(writing.words, half.covered) :], end]:
            if half.covered < bound <= end:
                word = reader.side.vocabulary.tokenize(bytes(writing.text[half.covered : bound]))
                half.loose, half.loose_bytes = len(word), bound - half.covered
                half.ids += word
                half.covered = bound
    return len(half.ids) <= reader.begun + reader.budget


def replay(engine: "Engine", writing: Writing, tokens: Sequence[Token]) -> None:
    """Gives `writing` the text of these tokens, and both models the ids they had for it when it was
    written: a model turned the other's words into its own tokens where it was asked to speak or to route."""
    for token in tokens:
        who = SPEAKERS.index(token.speaker)
        for side in {who, BASE} if token.routed else {who}:
            catch_up(engine.readers[side], writing, writing.halves[side])
        append(engine, writing, who, token.id)
    writing.tokens += tokens


def branch(engine: "Engine", writing: Writing, source: Writing, tokens: Sequence[Token]) -> None:
    """Gives `writing` the first tokens of a variant that is still being written, and a copy of what the
    models have read of it: nothing is evaluated again, where the model can cut its cache."""
    for token in tokens:
        writing.add(engine.readers[SPEAKERS.index(token.speaker)].side.vocabulary.piece(token.id))
    writing.tokens += tokens
    writing.words = source.words[: bisect_left(source.words, len(writing.text))]
    for reader, half, theirs in zip(engine.readers, writing.halves, source.halves, strict=True):
        half.ids, half.covered, half.evaluated = list(theirs.ids), theirs.covered, theirs.evaluated
        half.loose, half.loose_bytes = theirs.loose, theirs.loose_bytes
        reader.side.copy(source.slot + 1, writing.slot + 1)
        shrink(reader, writing, half)


def shrink(reader: "Reader", writing: Writing, half: Half) -> None:
    """Drops the tokens that reach beyond the text, of which some was cut off."""
    while half.covered > len(writing.text):
        half.covered -= len(reader.side.vocabulary.piece(half.ids.pop()))
        half.loose = half.loose_bytes = 0
    shorten(reader, writing, half, len(half.ids))


def drop_unfinished(engine: "Engine", writing: Writing) -> None:
    """Takes a character that is not complete out of the text."""
    whole = len(writing.text)
    while loose := words.unfinished(writing.text[:whole]):
        whole -= loose
    if whole < len(writing.text):
        writing.cut(whole)
        writing.shown = whole
        for reader, half in zip(engine.readers, writing.halves, strict=True):
            shrink(reader, writing, half)


def take_back(reader: "Reader", writing: Writing, half: Half) -> None:
    """Makes the last token wait again where nothing does: its logits are gone, and it must be repeated."""
    if half.evaluated == len(half.ids):
        shorten(reader, writing, half, len(half.ids) - 1)


def shorten(reader: "Reader", writing: Writing, half: Half, length: int) -> None:
    """Leaves `length` of the evaluated tokens in the cache, or those of the kept prompt where the model can't cut."""
    sequence = writing.slot + 1
    if half.evaluated <= length or reader.side.cut(sequence, reader.start + length):
        half.evaluated = min(half.evaluated, length)
    else:
        reader.side.copy(PROMPT, sequence)
        half.evaluated = reader.begun


def pending(reader: "Reader", writing: Writing, half: Half) -> Span:
    """The span that brings this side up to date; all but the last batch of it is evaluated right here."""
    sequence, start = writing.slot + 1, reader.start
    while len(half.ids) - half.evaluated > reader.side.n_batch:
        part = half.ids[half.evaluated : half.evaluated + reader.side.n_batch]
        evaluate(reader.side, [Span(sequence, start + half.evaluated, part, logits=False)])
        half.evaluated += len(part)
    span = Span(sequence, start + half.evaluated, half.ids[half.evaluated :])
    half.evaluated = len(half.ids)
    return span
