"""The one thread that writes: what others hand it goes into the database in the order in which it came."""

import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

from baco_local.errors import LibraryProblem
from baco_local.library import store

INTERVAL = 0.5  # seconds between two looks at what is being written
Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]


class Growing(Protocol):
    """Something that is being written, and has to be kept now and then."""

    def due(self) -> tuple[Work, Callable[[], None]] | None:
        """What there is to keep, and what to call once it is; or None."""

    def failed(self, problem: LibraryProblem) -> None:
        """It could not be kept; it will be asked again."""


class Writer:
    """Begins with the first thing there is to write. Close it, so that nothing stays behind."""

    def __init__(self, path: Path) -> None:
        self.path, self.token = path, secrets.token_hex(8)
        self.growing: list[Growing] = []
        self._queue: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Runs `work` in a transaction of its own and waits for it. Raises LibraryProblem, with nothing changed."""
        future: Future[Result] = Future()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="baco-local library", daemon=True)
                self._thread.start()
        self._queue.put((work, future))
        return future.result()

    def watch(self, growing: Growing) -> None:
        """Asks it twice a second what there is to keep, until `unwatch`."""
        self.growing.append(growing)
        self.do(lambda connection: None)  # wakes the thread

    def unwatch(self, growing: Growing) -> None:
        self.growing.remove(growing)

    def close(self) -> None:
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        alive: store.Alive | None = None
        while True:
            try:
                item = self._queue.get(timeout=INTERVAL if self.growing else None)
            except queue.Empty:
                self._look(connection)
                continue
            if item is None:
                break
            work, future = item
            try:
                if connection is None:
                    connection = store.connect(self.path)
                    alive = store.Alive(self.path, self.token)
                    connection.execute("INSERT OR IGNORE INTO writers (token) VALUES (?)", [self.token])
                future.set_result(write(connection, self.path, work))
            except BaseException as error:
                if connection and alive is None:  # only half opened: the next one tries again
                    connection.close()
                    connection = None
                future.set_exception(said(self.path, error))
        if connection:
            connection.close()
        if alive:
            alive.close()

    def _look(self, connection: sqlite3.Connection | None) -> None:
        for growing in list(self.growing):
            due = growing.due()
            if due and connection:
                work, kept = due
                try:
                    write(connection, self.path, work)
                    kept()
                except Exception as error:
                    problem = said(self.path, error)
                    growing.failed(problem if isinstance(problem, LibraryProblem) else LibraryProblem(str(problem)))


def write(connection: sqlite3.Connection, path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    with store.explained(path), store.transaction(connection):
        return work(connection)


def said(path: Path, error: BaseException) -> BaseException:
    return store.complaint(path, error) if isinstance(error, sqlite3.Error) else error
