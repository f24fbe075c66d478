"""Two models made ready to write together, and the prompt they both keep evaluated."""

import threading
from dataclasses import dataclass, field

import numpy as np

from baco_local.collaboration import prompts, words
from baco_local.collaboration.settings import Request
from baco_local.collaboration.side import Side, Span
from baco_local.errors import RoomProblem, UsageProblem
from baco_local.native import Kernel

PROMPT = 0  # the sequence that holds the prompt; slot s writes in sequence s + 1
CLASSES = "classes-2"  # change with the meaning of words.classify


@dataclass(slots=True)
class Reader:
    """One side with what the loop needs beside it. `last`: logits after the kept prompt, (1, n_tokens)."""

    side: Side
    classes: np.ndarray
    kernel: Kernel
    prompt: list[int] = field(default_factory=list)
    last: np.ndarray | None = None
    budget: int = 0  # tokens that one variant may have on this side


class Engine:
    """Holds the two sides of a pair between sessions. One session at a time.

    same_vocabulary: do token ids mean the same in both? Then ids pass across, else text.
    """

    def __init__(self, base: Side, aligned: Side, same_vocabulary: bool) -> None:
        self.same_vocabulary = same_vocabulary
        self.readers = (reader(base), reader(aligned))
        self.busy = threading.Lock()  # held by the running session
        self.closed = threading.Event()  # set when the models are going away

    def prepare(self, request: Request, stopped: threading.Event) -> prompts.Prompts:
        """Evaluates the prompt on both sides as far as it isn't yet. Raises RoomProblem when
        prompt and variants don't fit. Returns early, half done, when `stopped` is set."""
        base, aligned = self.readers
        both = prompts.build(request, base.side, aligned.side)
        for item, prompt in ((base, both.base), (aligned, both.aligned)):
            if not prompt:
                raise UsageProblem(
                    f"{item.side.name}: nothing of the prompt is left in this model's tokens; use another file"
                )
        slots = min(request.n, request.slots)
        # The other side may need more tokens for the same text than the speaker did.
        budget = request.max_tokens + 1 if self.same_vocabulary else 2 * request.max_tokens + 16
        for item, prompt in ((base, both.base), (aligned, both.aligned)):
            if len(prompt) + request.max_tokens > item.side.n_ctx:
                raise RoomProblem(
                    f"the prompt is {len(prompt)} tokens and the variants up to {request.max_tokens}, but {item.side.name} "
                    f"holds {item.side.n_ctx}\nshorten the prompt or lower --max-tokens"
                )
            item.budget = min(budget, item.side.n_ctx - len(prompt))
            if not item.side.room(slots + 1, len(prompt) + slots * item.budget):
                item.prompt, item.last = [], None
            for slot in range(slots):
                item.side.cut(slot + 1, 0)
        for item, prompt in ((base, both.base), (aligned, both.aligned)):
            keep_prompt(item, prompt, stopped)
        return both


def reader(side: Side) -> Reader:
    vocabulary = side.vocabulary
    classes = vocabulary.memo(CLASSES, lambda: words.classes(vocabulary.pieces(), vocabulary.ends))
    if classes.shape != (vocabulary.n_tokens,) or classes.dtype != np.uint8:  # a damaged cache
        classes = words.classes(vocabulary.pieces(), vocabulary.ends)
    return Reader(side, classes, Kernel(vocabulary.n_tokens))


def keep_prompt(item: Reader, prompt: list[int], stopped: threading.Event) -> None:
    """Evaluates what `prompt` doesn't share with the kept one; in batches, so that a stop is quick."""
    if item.last is not None and item.prompt == prompt:
        return
    item.last = None
    shared = 0
    while shared < min(len(item.prompt), len(prompt) - 1) and item.prompt[shared] == prompt[shared]:
        shared += 1
    if not item.side.cut(PROMPT, shared):
        shared = 0
    item.prompt = prompt[:shared]
    while shared < len(prompt) and not stopped.is_set():
        part = prompt[shared : shared + item.side.n_batch]
        final = shared + len(part) == len(prompt)
        rows = item.side.evaluate([Span(PROMPT, shared, part, logits=final)])
        shared += len(part)
        item.prompt = prompt[:shared]
        if final:
            item.last = rows.copy()
