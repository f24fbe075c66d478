"""A session: the loop in a thread of its own, steered and watched from others."""

import collections
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from baco_local.collaboration.engine import Engine, own_tokens
from baco_local.collaboration.events import Event, Failed, Summary
from baco_local.collaboration.loop import Loop
from baco_local.collaboration.routers import router
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Beginning
from baco_local.errors import UsageProblem

# Share of the distance to the wanted base share that one batch of tokens corrects.
GAIN = 0.3


class Session:
    """Writes the variants of a request. Every method may be called from any thread.

    beginnings: what each variant begins with, where not all begin alike. Events wait until they are polled; the last one is
    a `Summary` or a `Failed`. Raises UsageProblem for kept tokens that are not this pair's.
    """

    def __init__(
        self,
        engine: Engine,
        request: Request,
        steering: Steering | None = None,
        beginnings: Sequence[Beginning] = (),
    ) -> None:
        self.engine, self.request = engine, request
        self._steering = steering or Steering()
        self._steering_lock = threading.Lock()
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._events: collections.deque[Event] = collections.deque()
        self._beginnings = [self._checked(beginning) for beginning in beginnings]
        self._wanted: collections.deque[Callable[[Loop], None]] = collections.deque()  # more variants
        self._next = request.n  # index of the next one
        self._closing = self._over = False
        self._thread = threading.Thread(target=self._run, name="baco-local session", daemon=True)

    def start(self) -> "Session":
        self._thread.start()
        return self

    @property
    def steering(self) -> Steering:
        return self._steering

    def steer(self, **changes: Any) -> Steering:
        """Changes fields of the steering (`threshold`, `router`, `sampling`, …) from the next token on.

        A new router without a threshold takes its default one. Raises UsageProblem, and
        changes nothing, for values that don't fit.
        """
        with self._steering_lock:
            if changes.get("threshold") is not None:
                changes.setdefault("base_share", None)
            elif "router" in changes or changes.get("base_share") is not None:
                changes.setdefault("threshold", None)
            self._steering = replace(self._steering, **changes)
            return self._steering

    def branch(self, variant: int, at: int) -> int:
        """One more variant, which begins with the first `at` tokens of another one of this session.
        Returns its index. Nothing comes of it when the session is over by then: go on from an earlier
        session's variant with `Request(kept=variant.trace[:at])`."""
        with self._steering_lock:
            return self._want(lambda loop, index: loop.branch(index, variant, at))

    def add(self, beginning: Beginning | None = None) -> int | None:
        """One more variant, which has the next free slot. Returns its index; None where the session is over, or has no room
        for so long a beginning: that takes a session of its own. Raises UsageProblem for tokens that are not this pair's."""
        beginning = self._checked(beginning or Beginning())
        with self._steering_lock:
            room = len(self.request.kept) + self.request.max_tokens
            if self._closing or len(beginning.kept) >= room or (self.request.kept and beginning.kept):
                return None
            return self._want(lambda loop, index: loop.add(index, beginning))

    def _want(self, ask: Callable[[Loop, int], None]) -> int:
        index, self._next = self._next, self._next + 1
        self._wanted.append(lambda loop: ask(loop, index))
        return index

    def _checked(self, beginning: Beginning) -> Beginning:
        if beginning.steering and beginning.steering.base_share is not None:
            raise UsageProblem("a base share to aim for is the session's; give a variant of its own a threshold")
        return replace(beginning, kept=own_tokens(self.engine, beginning.kept))

    def stop(self) -> None:
        """Ends every variant, within one tick, as `cancelled`; what is written is kept."""
        self._stopped.set()

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """All events since the last poll; waits up to `timeout` seconds for the first."""
        with self._news:
            if not self._events and timeout > 0 and not self._over:
                self._news.wait(timeout)
            events = list(self._events)
            self._events.clear()
            return events

    def events(self, interval: float = 0.1) -> Iterator[Event]:
        """Every event until the session is over. Leaving the loop early does not stop it."""
        while True:
            over = self._over
            yield from self.poll(interval)
            if over and not self._events:
                return

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            with self.engine.busy:
                if self.engine.closed.is_set():
                    raise UsageProblem("this pair is closed; open it again")
                self._write()
        except Exception as problem:
            self._tell([Failed(problem)])
        finally:
            with self._steering_lock:
                self._closing = True
            self._over = True
            with self._news:
                self._news.notify_all()

    def _write(self) -> None:
        started = time.perf_counter()
        works = [reader.side.work for reader in self.engine.readers]
        decoded = sum(work.seconds for work in works)
        loop = Loop(self.engine, self.request, self.engine.prepare(self.request, self._stopped), self._beginnings)
        prepared = time.perf_counter()
        aim = Aim()
        while self._goes_on(loop):
            loop.steer(aim.steering(self._steering, loop))
            try:
                loop.tick()
            except BaseException:
                loop.cancel()
                self._tell(loop.events)
                raise
            self._tell(loop.events)
        loop.cancel()
        self._tell(loop.events)
        summary = Summary(
            variants=loop.begun,
            tokens=loop.tokens,
            base_tokens=loop.base_tokens,
            seconds=time.perf_counter() - started,
            prompt_seconds=prepared - started,
            decode_seconds=sum(work.seconds for work in works) - decoded,
            kernel_seconds=loop.drawing.seconds,
            stopped=self._stopped.is_set(),
        )
        self._tell([summary])

    def _goes_on(self, loop: Loop) -> bool:
        """Takes in what was added meanwhile. Once it is False nothing more can be."""
        with self._steering_lock:
            while self._wanted:
                self._wanted.popleft()(loop)
            self._closing = loop.done or self._stopped.is_set() or self.engine.closed.is_set()
            return not self._closing

    def _tell(self, events: list[Event]) -> None:
        if events:
            with self._news:
                self._events.extend(events)
                self._news.notify_all()
            events.clear()


class Aim:
    """Moves the threshold so that the share of base's tokens comes to a wanted one."""

    def __init__(self) -> None:
        self.share: float | None = None
        self.diversity = 0.0
        self.counted = (0, 0)

    def steering(self, wanted: Steering, loop: Loop) -> Steering:
        """`wanted` itself, unless it names a base share: then with the threshold for the next tick."""
        tokens, base = loop.tokens - self.counted[0], loop.base_tokens - self.counted[1]
        self.counted = (loop.tokens, loop.base_tokens)
        if wanted.base_share is None:
            self.share = None
            return wanted
        if wanted.base_share != self.share:
            self.share = self.diversity = wanted.base_share
        else:
            missing = (self.share * tokens - base) / loop.request.window
            self.diversity = min(1.0, max(0.0, self.diversity + GAIN * missing))
        return replace(wanted, base_share=None, threshold=router(wanted.router).at(self.diversity))
