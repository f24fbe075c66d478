"""Keeps what a session writes while it is written: told of its events, asked by the writer's thread twice a second."""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from baco_local.collaboration.events import Began, Ended, Event, Wrote
from baco_local.collaboration.variant import Variant
from baco_local.errors import LibraryProblem
from baco_local.library import ids, traces
from baco_local.library.exchange import origin_pk
from baco_local.library.writer import Work, Writer


@dataclass(slots=True)
class Piece:
    """A variant that is being written. pk: its node's, once it is in the database."""

    id: str
    kind: str
    began: float  # seconds of the monotonic clock
    created: float
    parent: int | None  # index of the variant that it branched from; None for the recorder's own root
    kept: int  # characters
    kept_tokens: int
    pieces: list[str] = field(default_factory=list)
    ended: Variant | None = None
    moves: list[tuple[float, str, float | None]] = field(default_factory=list)
    pk: int | None = None
    stored: int = 0  # pieces of text that are in the database, and one for its end


@dataclass(frozen=True, slots=True)
class Change:
    """A piece as it is to be kept: its first `count` pieces of text, or the whole."""

    index: int
    piece: Piece
    count: int
    ended: Variant | None


class Recorder:
    """What one run adds below a node: variants below a prompt, or one that goes on from a variant.

    `tell` it every event, from one thread; it costs next to nothing. problem: why the newest try to keep it failed; None
    once that is mended. ids: of the nodes, by the variants' index.
    """

    def __init__(self, writer: Writer, root: int, session: int, origin: Mapping[str, Any]) -> None:
        self.writer, self.root, self.session = writer, root, session
        self.origin = origin
        self.problem: LibraryProblem | None = None
        self.pieces: dict[int, Piece] = {}
        writer.watch(self)

    def id_of(self, index: int) -> str:
        return self.pieces[index].id

    def tell(self, event: Event) -> None:
        if isinstance(event, Wrote):
            self.pieces[event.index].pieces.append(event.token.piece)
        elif isinstance(event, Began):
            self._begin(event)
        elif isinstance(event, Ended):
            self.pieces[event.variant.index].ended = event.variant

    def steered(self, router: str, threshold: float | None) -> None:
        """The knob was turned: noted in everything that is being written."""
        now = time.monotonic()
        for piece in list(self.pieces.values()):
            if piece.ended is None:
                piece.moves.append((round(now - piece.began, 3), router, threshold))

    def close(self) -> None:
        """Keeps everything that is left. Raises LibraryProblem where that fails; what was kept before stays."""
        self.writer.unwatch(self)
        try:
            if due := self.due():
                work, kept = due
                self.writer.do(work)
                kept()
            self.problem = None
        except LibraryProblem as problem:
            self.problem = problem
            raise

    def due(self) -> tuple[Work, Callable[[], None]] | None:
        changed = [
            Change(index, piece, len(piece.pieces), piece.ended)
            for index, piece in list(self.pieces.items())
            if piece.pk is None or piece.stored != len(piece.pieces) + (piece.ended is not None)
        ]
        changed = [change for change in changed if change.count or change.ended]
        if not changed:
            return None
        pks: dict[int, int] = {}

        def kept() -> None:  # only what is committed counts
            self.problem = None
            for change in changed:
                change.piece.pk = pks[change.index]
                change.piece.stored = change.count + (change.ended is not None)

        return lambda connection: self._store(connection, changed, pks), kept

    def failed(self, problem: LibraryProblem) -> None:
        self.problem = problem

    def _begin(self, event: Began) -> None:
        kept = event.kept or ()
        self.pieces[event.index] = Piece(
            id=ids.new(),
            kind="branch" if kept else "variant",
            began=time.monotonic(),
            created=time.time(),
            parent=event.parent,
            kept=sum(len(token.piece) for token in kept),
            kept_tokens=len(kept),
        )

    def _store(self, connection: sqlite3.Connection, changed: list[Change], pks: dict[int, int]) -> None:
        """Fills `pks`, by index."""
        origin = origin_pk(connection, self.origin)
        for change in changed:
            piece, ended = change.piece, change.ended
            text = "".join(piece.pieces[: change.count]) if ended is None else ended.text[piece.kept :]
            pk = piece.pk
            if pk is None:
                above = self.pieces.get(piece.parent) if piece.parent is not None else None
                parent = pks.get(piece.parent, above.pk) if above and piece.parent is not None else None
                pk = self._insert(connection, piece, text, origin, parent or self.root)
            elif ended is None:
                connection.execute("UPDATE nodes SET text = ? WHERE pk = ?", [text, pk])
            if ended:
                self._end(connection, piece, pk, text, ended)
            pks[change.index] = pk

    def _insert(self, connection: sqlite3.Connection, piece: Piece, text: str, origin: int, parent: int) -> int:
        while connection.execute("SELECT 1 FROM nodes WHERE id = ?", [piece.id]).fetchone():
            piece.id = ids.fresh(connection)
        [pk] = connection.execute(
            "INSERT INTO nodes (id, session, parent, kind, created, text, kept, kept_tokens, origin, writer) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT pk FROM writers WHERE token = ?)) RETURNING pk",
            [
                *(piece.id, self.session, parent, piece.kind, piece.created, text),
                *(piece.kept, piece.kept_tokens, origin, self.writer.token),
            ],
        ).fetchone()
        return int(pk)

    def _end(self, connection: sqlite3.Connection, piece: Piece, pk: int, text: str, ended: Variant) -> None:
        base_tokens = sum(token.speaker == "base" for token in ended.trace)
        connection.execute(
            "UPDATE nodes SET text = ?, seed = ?, threshold = ?, moves = ?, tokens = ?, base_tokens = ?, seconds = ?, stop = ? "
            "WHERE pk = ?",
            [
                text,
                str(ended.seed),
                ended.threshold,
                json.dumps(piece.moves) if piece.moves else None,
                ended.tokens,
                base_tokens,
                round(ended.seconds, 3),
                ended.stop,
                pk,
            ],
        )
        own = ended.trace[piece.kept_tokens :]
        if own:
            connection.execute("INSERT INTO traces (node, data) VALUES (?, ?)", [pk, traces.packed(own)])
