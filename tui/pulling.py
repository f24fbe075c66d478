"""A pull in a thread, watched from the app: what it says, how far it is, and an end to it on request."""

import threading
from collections import deque

from baco_local.catalog.entries import PairEntry
from baco_local.catalog.pull import pull

from .scribe import told


class Pulling:
    """See `catalog.pull.Progress`. lines: said and not shown yet; done, total: bytes of the file that comes now."""

    def __init__(self, entry: PairEntry) -> None:
        self.entry = entry
        self.lines: deque[str] = deque()
        self.label, self.done, self.total = "", 0, 0
        self.stopped = False
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="pull", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        """What has come is kept; the next pull goes on from there."""
        self.stopped = True

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, label: str, total: int | None) -> None:
        self.label, self.done, self.total = label, 0, total or 0

    def at(self, done: int) -> None:
        if self.stopped:
            raise KeyboardInterrupt  # what pulls are used to being ended by
        self.done = done

    def end(self) -> None:
        self.label = ""

    def _run(self) -> None:
        try:
            pull(self.entry, self)
        except KeyboardInterrupt:
            self.problem = "stopped; what has come is kept, and the next pull goes on from there"
        except Exception as problem:
            self.problem = told(problem)
