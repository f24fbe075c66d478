"""Keeps what a session writes while it is written: told of its events, asked by the writer's thread twice a second."""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from baco_local.collaboration.events import Began, Ended, Event, Wrote
from baco_local.collaboration.variant import Token, Variant
from baco_local.errors import LibraryProblem
from baco_local.library import ids, traces
from baco_local.library.exchange import origin_pk
from baco_local.library.writer import Work, Writer


@dataclass(slots=True)
class Piece:
    """A variant that is being written. pk: its node's, once that is committed.

    parent: index of the variant that it branched from, if that is of this run. Its text may still be cut, so until it has
    ended the branch holds what it keeps of it, too. below: id of the node that it goes below, if not that of all; shared: how
    many of the kept tokens are that one's; None for all.
    """

    id: str
    began: float  # seconds of the monotonic clock
    created: float
    kept: tuple[Token, ...]
    parent: int | None
    below: str | None = None
    shared: int | None = None
    pieces: list[str] = field(default_factory=list)
    ended: Variant | None = None
    moves: list[tuple[float, str, float | None]] = field(default_factory=list)
    pk: int | None = None
    stored: int = 0  # pieces of text that are in the database
    done: bool = False  # and its end, or given up

    @property
    def held(self) -> int:
        """How many tokens are not its own: they are in the node above."""
        if self.parent is not None:
            return 0
        return len(self.kept) if self.shared is None else self.shared

    @property
    def above(self) -> str:
        return "".join(token.piece for token in self.kept[: self.held])

    @property
    def beginning(self) -> str:
        """What it begins with that is not in the node above."""
        return "".join(token.piece for token in self.kept[self.held :])


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
    once that is mended.
    """

    def __init__(self, writer: Writer, root: int, session: int, origin: Mapping[str, Any]) -> None:
        self.writer, self.root, self.session, self.origin = writer, root, session, origin
        self.problem: LibraryProblem | None = None
        self.pieces: dict[int, Piece] = {}
        self.places: dict[int, tuple[str, int]] = {}
        writer.watch(self)

    def id_of(self, index: int) -> str:
        """Of the node that the variant is, or will be."""
        return self.pieces[index].id

    def put_below(self, index: int, id: str, shared: int = 0) -> None:
        """The variant `index`, which has not begun yet, goes below this node: another take of it, or one that shares its
        first tokens."""
        self.places[index] = (id, shared)

    def tell(self, event: Event) -> None:
        if isinstance(event, Wrote):
            self.pieces[event.index].pieces.append(event.token.piece)
        elif isinstance(event, Began):
            now = time.monotonic()
            below, shared = self.places.pop(event.index, (None, len(event.kept)))
            self.pieces[event.index] = Piece(
                ids.new(), now, time.time(), event.kept, event.parent, below, min(shared, len(event.kept))
            )
        elif isinstance(event, Ended):
            self.pieces[event.variant.index].ended = event.variant

    def steered(self, router: str, threshold: float | None) -> None:
        """The knob was turned: noted in everything that is being written."""
        now = time.monotonic()
        for piece in list(self.pieces.values()):
            if piece.ended is None and not piece.done:
                piece.moves.append((round(now - piece.began, 3), router, threshold))

    def close(self) -> None:
        """Keeps everything that is left; what has not ended counts as cancelled. Raises LibraryProblem where that fails."""
        self.writer.finish(self)
        if self.problem:
            raise self.problem

    def failed(self, problem: LibraryProblem) -> None:
        self.problem = problem

    def due(self, over: bool) -> tuple[Work, Callable[[], None]] | None:
        """See `writer.Growing`."""
        open_ = [(index, piece) for index, piece in list(self.pieces.items()) if not piece.done]
        changed = [Change(index, piece, len(piece.pieces), piece.ended) for index, piece in open_]
        changed = [one for one in changed if over or one.ended or one.count > one.piece.stored]
        if not changed:
            return None
        pks: dict[int, int | None] = {}

        def kept() -> None:  # only what is committed counts
            self.problem = None
            for change in changed:
                piece = change.piece
                piece.pk, piece.stored = pks[change.index], change.count
                if piece.pk is None:
                    self.problem = LibraryProblem("what they belong to was removed meanwhile")
                if change.ended or over or piece.pk is None:
                    piece.done = True
                    piece.pieces.clear()  # a run may be of thousands
                    piece.ended = None

        return lambda connection: self._store(connection, changed, pks, over), kept

    def _store(
        self, connection: sqlite3.Connection, changed: list[Change], pks: dict[int, int | None], over: bool
    ) -> None:
        """Fills `pks`, by index: None for a node that has no place any more."""
        origin = origin_pk(connection, self.origin)
        for change in changed:
            connection.execute("SAVEPOINT piece")
            try:
                pks[change.index] = self._store_one(connection, change, pks, origin, over)
            except sqlite3.IntegrityError:
                connection.execute("ROLLBACK TO piece")
                pks[change.index] = None
            connection.execute("RELEASE piece")

    def _store_one(
        self, connection: sqlite3.Connection, change: Change, pks: dict[int, int | None], origin: int, over: bool
    ) -> int:
        piece, ended, pk = change.piece, change.ended, change.piece.pk
        root = self.root if pk else self._place(connection, piece)
        own = piece.beginning + "".join(piece.pieces[: change.count])
        text = own if ended is None else ended.text[len(piece.above) :]
        if pk is None:
            above = self.pieces.get(piece.parent) if piece.parent is not None else None
            parent = (pks.get(piece.parent) or above.pk) if above and piece.parent is not None else None
            pk = self._insert(connection, piece, text, origin, parent or root)
        elif ended is None:
            connection.execute("UPDATE nodes SET text = ? WHERE pk = ? AND stop IS NULL", [text, pk])
        if ended:
            self._end(connection, piece, pk, text, ended)
        elif over:
            connection.execute("UPDATE nodes SET stop = 'cancelled' WHERE pk = ? AND stop IS NULL", [pk])
        return pk

    def _place(self, connection: sqlite3.Connection, piece: Piece) -> int:
        """The node that the piece goes below: its own one, or where that is gone, that of all."""
        if piece.below is None:
            return self.root
        found = connection.execute("SELECT pk FROM nodes WHERE id = ?", [piece.below]).fetchone()
        if found is None:
            piece.shared = 0
        return int(found[0]) if found else self.root

    def _insert(self, connection: sqlite3.Connection, piece: Piece, text: str, origin: int, parent: int) -> int:
        while connection.execute("SELECT 1 FROM nodes WHERE id = ?", [piece.id]).fetchone():
            piece.id = ids.fresh(connection)
        [pk] = connection.execute(
            "INSERT INTO nodes (id, session, parent, kind, created, text, kept, kept_tokens, origin, writer) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT pk FROM writers WHERE token = ?)) RETURNING pk",
            [
                *(piece.id, self.session, parent, "branch" if piece.kept else "variant", piece.created, text),
                *(len(piece.above), piece.held, origin, self.writer.token),
            ],
        ).fetchone()
        return int(pk)

    def _end(self, connection: sqlite3.Connection, piece: Piece, pk: int, text: str, ended: Variant) -> None:
        own = ended.trace[piece.held :]
        done = connection.execute(
            "UPDATE nodes SET text = ?, kept = ?, kept_tokens = ?, seed = ?, threshold = ?, moves = ?, tokens = ?, "
            "base_tokens = ?, seconds = ?, stop = ? WHERE pk = ? AND stop IS NULL",
            [
                *(text, len(piece.above), piece.held, str(ended.seed), ended.threshold),
                json.dumps(piece.moves) if piece.moves else None,
                ended.tokens,
                ended.base_tokens,
                *(round(ended.seconds, 3), ended.stop, pk),
            ],
        )
        if own and done.rowcount:
            connection.execute("INSERT OR IGNORE INTO traces (node, data) VALUES (?, ?)", [pk, traces.packed(own)])
