"""Two models made ready to write together, and the prompt they both keep evaluated."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from baco_local.collaboration import caches, prompts, words
from baco_local.collaboration.caches import PROMPT
from baco_local.collaboration.room import room_for
from baco_local.collaboration.settings import Request
from baco_local.collaboration.side import Side, Span, evaluate
from baco_local.collaboration.variant import SPEAKERS, Token, Writing
from baco_local.errors import RoomProblem, UsageProblem
from baco_local.native import Kernel
from baco_local.native import layout as L
from baco_local.text import clean

CLASSES = "classes-2"  # change with the meaning of words.classify


@dataclass(slots=True)
class Reader:
    """One side with what the loop needs beside it."""

    side: Side
    classes: np.ndarray
    held: list[int] = field(default_factory=list)  # tokens in sequence PROMPT
    last: np.ndarray | None = None  # logits after them, (1, n_tokens)
    start: int = 0  # how many of them are the prompt's
    begun: int = 0  # and how many of the text that every variant begins with
    budget: int = 0  # tokens that one variant may add on this side
    cells: int = 0  # tokens that all together may add


class Engine:
    """Holds the two sides of a pair between sessions. One session at a time.

    same_vocabulary: do token ids mean the same in both? Then ids pass across, else text.
    """

    def __init__(self, base: Side, aligned: Side, same_vocabulary: bool) -> None:
        self.same_vocabulary = same_vocabulary
        self.readers = (reader(base), reader(aligned))
        self.kernel = Kernel([one.classes for one in self.readers], base.threads)
        self.parallel = base.offloaded and aligned.offloaded  # both on a GPU: they compute while we wait
        self.eager = min(base.eager, aligned.eager)  # see loop.py
        self.busy = threading.Lock()  # held by the running session
        self.closed = threading.Event()  # set when the models are going away

    def prepare(self, request: Request, stopped: threading.Event, *, read: bool = False) -> Writing:
        """Evaluates the prompt, and the text all variants begin with, on both sides as far as they
        aren't yet. Returns what every variant starts as. Raises RoomProblem when prompt and
        variants don't fit. Returns early, half done, when `stopped` is set. read: both models read the last words of the
        text, too, which else each reads when it is asked."""
        base, aligned = self.readers
        both = prompts.build(request, base.side, aligned.side)
        for item, prompt in ((base, both.base), (aligned, both.aligned)):
            if not prompt:
                raise UsageProblem(
                    f"{item.side.name}: nothing of the prompt is left in this model's tokens; use another file"
                )
        begins = self.begins(request, both.before)
        if read:
            for item, half in zip(self.readers, begins.halves, strict=True):
                caches.catch_up(item, begins, half)
        wholes = [prompt + half.ids for prompt, half in zip((both.base, both.aligned), begins.halves, strict=True)]
        for item, prompt, whole in zip(self.readers, (both.base, both.aligned), wholes, strict=True):
            if len(whole) + request.max_tokens > item.side.n_ctx:
                raise RoomProblem(
                    f"the prompt is {len(whole)} tokens and the variants up to {request.max_tokens}, but {item.side.name} "
                    f"holds {item.side.n_ctx}\nshorten the prompt or lower --max-tokens"
                )
            item.start, item.begun = len(prompt), len(whole) - len(prompt)
            room = room_for(request, len(whole), item.side.n_ctx, self.same_vocabulary)
            item.budget, item.cells = room.budget, room.cells
            if not item.side.room(room.sequences, len(whole) + room.cells):
                item.held, item.last = [], None
            for sequence in range(1, room.sequences):
                item.side.cut(sequence, 0)
        for item, whole in zip(self.readers, wholes, strict=True):
            keep_prompt(item, whole, stopped)
        return begins

    def forget(self) -> None:
        """Drops the kept prompts: the next session evaluates its own from the beginning."""
        for item in self.readers:
            item.held, item.last = [], None

    def begins(self, request: Request, before: bytes) -> Writing:
        """A variant with the request's kept tokens, in both models' tokens. Raises UsageProblem for foreign ones."""
        begins = Writing(0, 0, before, opening=request.first == "aligned")
        for item in self.readers:
            item.begun, item.budget = 0, item.side.n_ctx
        caches.replay(self, begins, own_tokens(self, request.kept))
        return begins


def own_tokens(engine: Engine, kept: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens to begin a variant with: those given, without what a stop string has cut, or the beginning of a character.
    Raises UsageProblem for tokens that this pair doesn't have."""
    for token in kept:
        own = token.speaker in SPEAKERS and engine.readers[SPEAKERS.index(token.speaker)]
        if not own or not 0 <= token.id < len(own.classes) or own.classes[token.id] & L.END:
            raise UsageProblem(
                f"the kept token {token.piece!r} ({token.id}, {token.speaker}) is not one of this pair's"
            )
    return tuple(whole_tokens(engine, kept))


def whole_tokens(engine: Engine, kept: Sequence[Token]) -> Sequence[Token]:
    """Without those at the end that begin a character and don't end it, and without one of which only a part is in the
    text: a stop string has cut it, and the models would read all of it."""
    while kept and words.unfinished(b"".join(piece_of(engine, token) for token in kept[-4:])):
        kept = kept[:-1]
    if not kept:
        return kept
    last = kept[-1]
    piece = piece_of(engine, last)
    try:
        whole = clean(piece.decode())
    except UnicodeDecodeError:  # a part of a character: its piece never is the whole of it
        return kept
    return kept[:-1] if last.piece and last.piece != whole and whole.startswith(last.piece) else kept


def piece_of(engine: Engine, token: Token) -> bytes:
    return engine.readers[SPEAKERS.index(token.speaker)].side.vocabulary.piece(token.id)


def reader(side: Side) -> Reader:
    vocabulary = side.vocabulary
    classes = vocabulary.memo(CLASSES, lambda: words.classes(vocabulary.pieces(), vocabulary.ends))
    if classes.shape != (vocabulary.n_tokens,) or classes.dtype != np.uint8:  # a damaged cache
        classes = words.classes(vocabulary.pieces(), vocabulary.ends)
    return Reader(side, classes)


def keep_prompt(item: Reader, prompt: list[int], stopped: threading.Event) -> None:
    """Evaluates what `prompt` doesn't share with the kept one; in batches, so that a stop is quick."""
    if item.last is not None and item.held == prompt:
        return
    item.last = None
    shared = 0
    while shared < min(len(item.held), len(prompt) - 1) and item.held[shared] == prompt[shared]:
        shared += 1
    if not item.side.cut(PROMPT, shared):
        shared = 0
    item.held = prompt[:shared]
    while shared < len(prompt) and not stopped.is_set():
        part = prompt[shared : shared + item.side.n_batch]
        final = shared + len(part) == len(prompt)
        rows = evaluate(item.side, [Span(PROMPT, shared, part, logits=final)])
        shared += len(part)
        item.held = prompt[:shared]
        if final:
            item.last = rows.copy()
