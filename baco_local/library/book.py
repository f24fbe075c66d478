"""The library, for programs: everything that was written, found again, marked and taken elsewhere."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from baco_local.errors import DamagedLibrary, LibraryProblem, UsageProblem
from baco_local.library import exchange, finding, ids, marking, nodes, rating, store
from baco_local.library.nodes import Entry, Hit, Node
from baco_local.library.rating import Rating
from baco_local.library.writer import Result, Writer
from baco_local.text import clean

if TYPE_CHECKING:  # reading needs neither them nor numpy
    from baco_local.collaboration.variant import Token
    from baco_local.library.recording import Recorder


def resolved(path: Path) -> Path:
    """The file itself, however it is reached. Raises LibraryProblem for a link that leads back to itself."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise LibraryProblem(f"{path}: {error}") from None


class Library:
    """Ideas that were kept. Use it in `with`, or close it. Any number of threads and processes may use one at a time.

    path: of the file; None for the user's own. Ids may be given by any beginning that only one thing has. Methods raise
    UsageProblem for an id that nothing has, LibraryProblem for a file that can't be read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = resolved(path or store.default_path())
        self.writer = Writer(self.path)
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    # finding

    def history(
        self, *, limit: int = 20, starred: bool = False, tag: str | None = None, since: datetime | None = None
    ) -> list[Entry]:
        """Prompts, newest first; with starred or tag only those that have such ideas."""
        with self._reading() as connection:
            name = marking.tag_name(tag) if tag is not None else None
            return finding.history(connection, limit=limit, starred=starred, tag=name, since=since)

    def search(self, text: str, *, limit: int = 20, starred: bool = False) -> list[Hit]:
        """Nodes with all these words (or words that begin so), the best first; "in quotes" one behind the other."""
        with self._reading() as connection:
            return finding.search(connection, text, limit=limit, starred=starred)

    def node(self, id: str) -> Node:
        """A prompt, an idea, a branch or an edit."""
        with self._reading() as connection:
            _, pk = ids.resolve(connection, id, ("nodes",))
            return nodes.select(connection, "n.pk = ?", [pk])[0]

    def ideas(self, prompt: str, *, starred: bool = False, tag: str | None = None) -> list[Node]:
        """The ideas of a prompt and what came of them, in the order in which they were begun."""
        with self._reading() as connection:
            _, pk = ids.resolve(connection, prompt, ("nodes",))
            name = marking.tag_name(tag) if tag is not None else None
            return finding.ideas(connection, nodes.select(connection, "n.pk = ?", [pk])[0], starred=starred, tag=name)

    def tree(self, id: str) -> list[Node]:
        """All nodes of a session, or of the session that a node is in; parents before their children."""
        with self._reading() as connection:
            table, pk = ids.resolve(connection, id)
            if table == "nodes":
                [pk] = connection.execute("SELECT session FROM nodes WHERE pk = ?", [pk]).fetchone()
            return nodes.select(connection, "n.session = ? AND n.deleted IS NULL", [pk])

    def prompt_of(self, node: Node) -> Node:
        """The prompt that a node came of; the node itself if it is one."""
        seen = {node.id}
        while node.parent is not None:
            node = self.node(node.parent)
            if node.id in seen:
                raise DamagedLibrary(f"{self.path}: {node.id} comes of itself\n{store.SALVAGE}")
            seen.add(node.id)
        return node

    def trace(self, id: str) -> "tuple[Token, ...]":
        """Who wrote each token, and what the router saw; () where none was kept."""
        with self._reading() as connection:
            _, pk = ids.resolve(connection, id, ("nodes",))
            return nodes.trace_of(connection, pk)

    # deciding

    def star(self, id: str) -> None:
        """Marks a node as one to keep; a rejection is taken back."""
        self._mark(id, lambda connection, pk: marking.mark(connection, pk, "star"))

    def unstar(self, id: str) -> bool:
        """False where it had no star."""
        return self._mark(id, lambda connection, pk: marking.unmark(connection, pk, "star"))

    def reject(self, id: str) -> None:
        """Marks a node as one to pass over; a star is taken back."""
        self._mark(id, lambda connection, pk: marking.mark(connection, pk, "reject"))

    def unreject(self, id: str) -> bool:
        return self._mark(id, lambda connection, pk: marking.unmark(connection, pk, "reject"))

    def tag(self, id: str, name: str) -> None:
        """Raises UsageProblem for what is not one word."""
        self._mark(id, lambda connection, pk: marking.mark(connection, pk, "tag", marking.tag_name(name)))

    def untag(self, id: str, name: str) -> bool:
        return self._mark(id, lambda connection, pk: marking.unmark(connection, pk, "tag", marking.tag_name(name)))

    def note(self, id: str, text: str) -> None:
        """Adds a note of any length."""
        if not text.strip():
            raise UsageProblem("the note is empty")
        self._mark(id, lambda connection, pk: marking.mark(connection, pk, "note", clean(text).strip()))

    def edit(self, id: str, text: str) -> Node:
        """A new node with this text, below the one that it was made of, which stays as it is."""
        pk = self._mark(id, lambda connection, pk: marking.edited(connection, pk, clean(text)))
        with self._reading() as connection:
            return nodes.select(connection, "n.pk = ?", [pk])[0]

    def remove(self, id: str, *, purge: bool = False) -> int:
        """Puts a node with all below it aside, or a session; with purge for good. How many nodes went."""
        return self.remove_all([id], purge=purge)[0]

    def remove_all(self, names: Sequence[str], *, purge: bool = False) -> list[int]:
        """`remove` of each, and how many nodes went with each. What is purged is written over in the file, and in its write-ahead
        log as far as nobody is reading there; copies (backups, what `restore` and a newer version leave beside it) keep it."""

        def gone(connection: sqlite3.Connection) -> list[int]:
            found = [marking.put_aside(connection, *ids.resolve(connection, name), purge) for name in names]
            if purge:
                marking.forget_words(connection)
            return found

        counts = self.writer.do(gone)
        if purge:
            self.writer.empty_log()
        return counts

    def restore(self, id: str) -> int:
        """Brings back what was put aside."""
        return self.writer.do(lambda connection: marking.bring_back(connection, *ids.resolve(connection, id)))

    # rating

    def rate(self, given: Rating, texts: Sequence[Sequence[str]]) -> None:
        """An answer of a blind comparison. texts: the ideas that were shown, of one and of two."""
        self.writer.do(lambda connection: rating.rate(connection, given, texts))

    def ratings(self, comparison: str | None = None) -> list[Rating]:
        """In the order in which they were given."""
        with self._reading() as connection:
            return rating.ratings(connection, comparison)

    # keeping

    def record(self, text: str, origin: Mapping[str, Any], *, session: str | None = None) -> "tuple[str, Recorder]":
        """A new prompt, in a new session or in one that is there: its id, and what to tell a session's events."""

        def insert(connection: sqlite3.Connection) -> tuple[str, int, int]:
            if session is None:
                [chosen] = connection.execute(
                    "INSERT INTO sessions (id, created) VALUES (?, ?) RETURNING pk",
                    [ids.fresh(connection), time.time()],
                ).fetchone()
            else:
                _, chosen = ids.resolve(connection, session, ("sessions",))
            name = ids.fresh(connection)
            [pk] = connection.execute(
                "INSERT INTO nodes (id, session, kind, created, text, kept, kept_tokens, origin, stop) VALUES (?, ?, 'prompt', ?, ?, 0, 0, ?, 'prompt') "
                "RETURNING pk",
                [name, chosen, time.time(), clean(text), exchange.origin_pk(connection, origin)],
            ).fetchone()
            return name, pk, chosen

        from baco_local.library.recording import Recorder

        name, pk, chosen = self.writer.do(insert)
        return name, Recorder(self.writer, pk, chosen, origin)

    def record_below(self, id: str, origin: Mapping[str, Any]) -> "Recorder":
        """More below a node that is there: variants of a prompt, or what goes on from an idea."""

        def find(connection: sqlite3.Connection) -> tuple[int, int]:
            _, pk = ids.resolve(connection, id, ("nodes",))
            [session] = connection.execute("SELECT session FROM nodes WHERE pk = ?", [pk]).fetchone()
            return pk, session

        from baco_local.library.recording import Recorder

        return Recorder(self.writer, *self.writer.do(find), origin)

    # taking elsewhere

    def export(self, nodes_: Iterable[Node]) -> Iterator[dict[str, Any]]:
        """All that is known of nodes and of what is above them, as JSON objects that `read` takes."""
        wanted = [node.pk for node in nodes_]
        with self._reading() as connection:
            pks = sorted(exchange.with_parents(connection, wanted))
        for pk in pks:
            with self._reading() as connection:
                row = exchange.row(connection, pk)
            yield row

    def salvage(self) -> Iterator[dict[str, Any] | None]:
        """What can still be read of a damaged library, as `export` gives it; None for every node that can't be read."""
        with self._reading() as connection:
            rows = exchange.salvaged(connection)
        while True:
            with self._reading():
                row = next(rows, False)
            if row is False:
                return
            yield row  # type: ignore[misc]

    def read(self, lines: Iterable[str], name: str = "the file") -> tuple[int, int]:
        """Takes in what `export` gave: (new nodes, nodes that were there already). All or nothing."""
        from baco_local.library import taking

        found = taking.records(lines, name)  # before anything is locked: they may come slowly
        return self.writer.do(lambda connection: taking.take(connection, found))

    def backup(self, path: Path) -> None:
        """A whole copy in one file, while others may go on writing. Raises LibraryProblem where `path` is taken."""
        with self._reading() as connection:
            store.backup(connection, path)

    def close(self) -> None:
        """Keeps what is left, and lets go of the file. What is asked for afterwards is refused."""
        self.writer.close()
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, store.explained(self.path):
            if self.writer.closed:
                raise LibraryProblem(f"{self.path}: this library was closed; open it again")
            if self._connection is None:
                self._connection = store.connect_to_read(self.path)
            yield self._connection

    def _mark(self, id: str, change: Callable[[sqlite3.Connection, int], Result]) -> Result:
        return self.writer.do(lambda connection: change(connection, ids.resolve(connection, id, ("nodes",))[1]))
