"""The one thread that writes: what others hand it goes into the database in the order in which it came."""

import os
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

from baco_local.errors import LibraryProblem, Problem
from baco_local.library import store

INTERVAL = 0.5  # seconds between two looks at what is being written
Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]


class Growing(Protocol):
    """Something that is being written, and has to be kept now and then. Asked by the writer's thread only."""

    def due(self, over: bool) -> tuple[Work, Callable[[], None]] | None:
        """What there is to keep, and what to call once it is; or None. over: nothing more will come."""

    def failed(self, problem: LibraryProblem) -> None:
        """It could not be kept; it will be asked again."""


class Writer:
    """Begins with the first thing there is to write. Close it, so that nothing stays behind."""

    def __init__(self, path: Path) -> None:
        self.path, self.token = path, secrets.token_hex(8)
        self.growing: list[Growing] = []
        self.closed = False
        self._queue: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._lock = threading.Lock()

    def do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Runs `work` in a transaction of its own and waits for it. Raises LibraryProblem, with nothing changed."""
        return self._call(lambda connection: write(connection, self.path, work))

    def empty_log(self) -> None:
        """Moves the write-ahead log into the file, as far as nobody is reading: removed text stays in it until then."""
        self._call(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    def watch(self, growing: Growing) -> None:
        """Asks it twice a second what there is to keep, until `finish`."""
        self.growing.append(growing)
        self._call(lambda connection: None)  # wakes the thread

    def finish(self, growing: Growing) -> None:
        """Keeps what is left of it. Raises LibraryProblem where that fails; what was kept before stays."""
        self._call(lambda connection: self._keep(connection, growing, over=True))
        self.growing.remove(growing)

    def close(self) -> None:
        """Keeps what is left of everything. What is asked for later is refused."""
        with self._lock:
            thread, self.closed = self._thread, True
            if thread and self._process == os.getpid():
                self._queue.put(None)
        if thread and self._process == os.getpid():
            thread.join()

    def _call(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        future: Future[Result] = Future()
        with self._lock:
            if self.closed:
                raise LibraryProblem(f"{self.path}: this library was closed; open it again")
            if self._process != os.getpid():  # a fork has no threads, and must not write for its parent
                self._process, self.token, self._thread = os.getpid(), secrets.token_hex(8), None
                self._queue, self.growing = queue.SimpleQueue(), []
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="baco-local library", daemon=True)
                self._thread.start()
            self._queue.put((work, future))
        return future.result()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        alive: store.Alive | None = None
        look = time.monotonic() + INTERVAL
        while True:
            try:
                item = self._queue.get(timeout=max(0.0, look - time.monotonic()) if self.growing else None)
            except queue.Empty:
                item = (lambda connection: None, Future())
            if item is None:
                break
            work, future = item
            try:
                if connection is None:
                    connection = store.connect(self.path)
                if alive is None:
                    alive = store.Alive(self.path, self.token)
                    connection.execute("INSERT OR IGNORE INTO writers (token) VALUES (?)", [self.token])
                future.set_result(work(connection))
            except BaseException as error:
                future.set_exception(said(self.path, error))
            if self.growing and time.monotonic() >= look:
                self._look(connection)
            if time.monotonic() >= look:
                look = time.monotonic() + INTERVAL
        for growing in list(self.growing):
            if connection:
                self._try(connection, growing, over=True)
        if connection:
            connection.close()
        if alive:
            alive.close()

    def _look(self, connection: sqlite3.Connection | None) -> None:
        for growing in list(self.growing):
            if connection:
                self._try(connection, growing, over=False)

    def _try(self, connection: sqlite3.Connection, growing: Growing, over: bool) -> None:
        try:
            self._keep(connection, growing, over)
        except Exception as error:
            problem = said(self.path, error)
            growing.failed(problem if isinstance(problem, LibraryProblem) else LibraryProblem(str(problem)))

    def _keep(self, connection: sqlite3.Connection, growing: Growing, over: bool) -> None:
        if due := growing.due(over):
            work, kept = due
            write(connection, self.path, work)
            kept()


def write(connection: sqlite3.Connection, path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    with store.explained(path), store.transaction(connection):
        return work(connection)


def said(path: Path, error: BaseException) -> BaseException:
    if isinstance(error, Problem):
        return error
    if isinstance(error, sqlite3.Error):
        return store.complaint(path, error)
    if isinstance(error, OSError):
        return LibraryProblem(f"{error.filename or path}: {error.strerror or error}")
    return error
