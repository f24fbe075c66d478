"""What else the models could have written at a place: their likeliest next tokens, before any sampling."""

import threading
from dataclasses import dataclass, replace

import numpy as np

from baco_local.collaboration.engine import Engine
from baco_local.collaboration.settings import Request
from baco_local.collaboration.variant import SPEAKERS, Token
from baco_local.native import layout as L
from baco_local.text import clean


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that a model could have written there, ready to be kept: as one that no router decided about. ends: it ends the
    idea, and can't be kept."""

    token: Token
    ends: bool


def alternatives(
    engine: Engine, request: Request, kept: tuple[Token, ...], count: int = 10
) -> tuple[list[Alternative], list[Alternative]]:
    """The `count` likeliest tokens of base and of aligned after the first tokens of an idea, likeliest first, with the
    probabilities of their raw distributions (temperature 1). Waits for a session that is being written.

    Raises UsageProblem for tokens that are not this pair's, RoomProblem where they don't fit.
    """
    with engine.busy:
        engine.prepare(replace(request, n=1, max_tokens=1, kept=kept, spare=0), threading.Event(), read=True)
        rows = [probabilities(reader.last[0]) for reader in engine.readers if reader.last is not None]
    found: tuple[list[Alternative], list[Alternative]] = ([], [])
    for who, (row, reader) in enumerate(zip(rows, engine.readers, strict=True)):
        best = np.argpartition(row, -min(count, len(row)))[-count:]
        for id in sorted((int(id) for id in best if row[id] > 0), key=lambda id: -row[id]):
            piece = clean(reader.side.vocabulary.piece(id).decode("utf-8", "replace"))
            token = Token(piece, id, SPEAKERS[who], False, float(row[id]), None, None)
            found[who].append(Alternative(token, bool(reader.classes[id] & L.END)))
    return found


def probabilities(logits: np.ndarray) -> np.ndarray:
    """(n,) float32 to (n,) float64, which sum to 1."""
    raised = np.exp(logits.astype(np.float64) - float(logits.max()))
    return np.asarray(raised / raised.sum())
