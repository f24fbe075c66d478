"""What a writer decides goes into the library behind the page: in order, in a thread, and with patience."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from baco_local.errors import UsageProblem
from baco_local.library import Library

from .desk import Take
from .scribe import told

AGAIN = 0.1  # seconds until the library is asked again for what was written a moment ago


class Books:
    """problems: where it says what could not be kept. Without a library everything is done in vain."""

    def __init__(self, library: Library | None, problems: deque[str]) -> None:
        self.library, self.problems = library, problems
        self._line = ThreadPoolExecutor(1, "library")

    def keep(self, take: Take, act: Callable[[str], object]) -> None:
        """Does it to the take's node, behind all that was asked before. What was just written may not be there yet."""
        if self.library:
            self._line.submit(self._patiently, take, act)

    def mark(self, take: Take, starred: bool, rejected: bool) -> None:
        library = self.library
        if library is None:
            return
        if starred:
            self.keep(take, library.star)
        elif rejected:
            self.keep(take, library.reject)
        else:
            self.keep(take, library.unstar)
            self.keep(take, library.unreject)

    def settle(self) -> None:
        """Waits until all that was asked for is done."""
        self._line.submit(lambda: None).result()

    def close(self) -> None:
        self._line.shutdown(wait=True)
        if self.library:
            self.library.close()

    def _patiently(self, take: Take, act: Callable[[str], object]) -> None:
        while True:
            job = take.job
            written = job is None or job.state == "over"  # then the library has all of it, or never will
            try:
                if (name := take.id) is not None:
                    act(name)
                return
            except UsageProblem as problem:
                if written:
                    self.problems.append(told(problem))
                    return
                time.sleep(AGAIN)
            except Exception as problem:  # also a fault of this program: the thread goes on
                self.problems.append(told(problem))
                return
