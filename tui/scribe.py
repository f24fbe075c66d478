"""The scribe: loads the pair, runs sessions and keeps what they write, in threads; the app asks it for news.

Nothing here touches a widget, and the app never waits for it: what it has to say lies ready in `news`. An event is
told to the library before it is shown, so nothing is on the screen that a crash would lose.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from baco_local.collaboration.alternatives import Alternative, alternatives
from baco_local.collaboration.engine import Engine
from baco_local.collaboration.events import Event, Failed, Summary
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Beginning, Token
from baco_local.errors import Problem, internal
from baco_local.library import Library

Found = TypeVar("Found")
Both = tuple[list[Alternative], list[Alternative]]


class WritingPair(Protocol):
    """What the desk needs of a `Pair`."""

    name: str
    engine: Engine
    warnings: list[str]

    def session(
        self, request: Request, steering: Steering, *, beginnings: tuple[Beginning, ...], force: bool
    ) -> Session: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the library a variant goes: below this node, of which it shares the first tokens; None: below the prompt."""

    below: Callable[[], str | None] = lambda: None
    shared: int = 0


@dataclass(slots=True, eq=False)
class Job:
    """One session to be written. node: the prompt's id in the library, once it has one; session: the library session
    that a new prompt goes to. state: waiting, loading, writing or over."""

    request: Request
    steering: Steering
    origin: Mapping[str, Any]
    beginnings: tuple[Beginning, ...] = ()
    places: tuple[Place, ...] = ()
    node: str | None = None
    session: str | None = None
    state: str = "waiting"
    stopped: bool = False
    live: Session | None = None
    recorder: Any = None


class Scribe:
    """One job at a time, in the order in which they are given. open: loads the pair, when it is first needed. force: try
    what memory will probably not do for."""

    def __init__(self, open: Callable[[], WritingPair], library: Library | None, *, force: bool = False) -> None:
        self.open, self.library, self.force = open, library, force
        self.pair: WritingPair | None = None
        self.job: Job | None = None
        self.problems: deque[str] = deque()  # to be shown
        self.unkept = ""  # why something that was written is not in the library
        self._news: deque[tuple[Job, Event]] = deque()
        self._lock = threading.Lock()  # a variant's place is noted before its first event is told
        self._line = ThreadPoolExecutor(1, "scribe")
        self._looked = 0

    @property
    def writing(self) -> bool:
        return self.job is not None and self.job.state != "over"

    def news(self) -> list[tuple[Job, Event]]:
        """What has happened since the last call."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def write(self, job: Job) -> None:
        """What is being written ends."""
        self.stop()
        self.job = job
        self._line.submit(self._run, job)

    def add(self, beginning: Beginning, place: Place) -> int | None:
        """One more variant of the running job: its index, or None where that takes a job of its own."""
        job = self.job
        if not job or not job.live or job.state != "writing":
            return None
        if with_tokens(job.request, len(beginning.kept)) != job.request:
            return None  # it would soon be cut
        with self._lock:
            index = job.live.add(beginning)
            if index is not None:
                self._put(job, index, place)
            return index

    def steer(self, steering: Steering) -> None:
        """From the next token on, in everything that is being written."""
        job = self.job
        if not job or job.state == "over":
            return
        with self._lock:
            job.steering = steering
            if job.live:
                turn(job.live, steering)
            if job.recorder:
                job.recorder.steered(steering.router, steering.threshold)

    def stop(self) -> None:
        """Ends what is being written; what is there is kept."""
        if self.job and self.job.state != "over":
            self.job.stopped = True
            if self.job.live:
                self.job.live.stop()

    def warm(self) -> None:
        """Loads the models, so that they are there when they are asked for."""
        self._line.submit(self._warm)

    def use(self, open: Callable[[], WritingPair]) -> None:
        """Another pair, from the next job on."""
        self.stop()

        def change() -> None:
            before, self.pair, self.open = self.pair, None, open
            if before:
                before.close()

        self._line.submit(change)

    def look(self, request: Request, kept: tuple[Token, ...]) -> "Future[Both | None]":
        """What else could have been written behind these tokens. None where another look was asked for since."""
        self._looked += 1
        wanted = self._looked

        def find() -> Both | None:
            if wanted != self._looked:
                return None
            # a thread that ends: one that has computed and lives on would slow down all others, as libgomp keeps its helpers
            return in_a_thread(lambda: alternatives(self._opened().engine, request, kept))

        return self._line.submit(find)

    def close(self) -> None:
        """Stops, keeps what is written, and frees the models."""
        self.stop()
        self._looked += 1
        self._line.shutdown(wait=True, cancel_futures=True)
        if self.pair:
            self.pair.close()
            self.pair = None

    # in the scribe's thread

    def _opened(self) -> WritingPair:
        if self.pair is None:
            self.pair = self.open()
            self.problems.extend(self.pair.warnings)
        return self.pair

    def _warm(self) -> None:
        try:
            self._opened()
        except Exception as problem:
            self.problems.append(told(problem))

    def _run(self, job: Job) -> None:
        try:
            job.state = "loading"
            pair = None if job.stopped else self._opened()
            if pair is None or job.stopped:
                self._news.append((job, Summary(0, 0, 0, 0.0, 0.0, 0.0, 0.0, True)))
                return
            self._record(job)
            session = pair.session(job.request, job.steering, beginnings=job.beginnings, force=self.force)
            with self._lock:
                job.live, job.state = session, "writing"
                turn(session, job.steering)  # it may have been turned since
            if job.stopped:
                session.stop()
            self._follow(job, session)
        except Exception as problem:
            self._news.append((job, Failed(problem)))
        finally:
            self._keep(job)
            job.state = "over"

    def _record(self, job: Job) -> None:
        if not self.library:
            return
        try:
            if job.node is None:
                job.node, job.recorder = self.library.record(job.request.prompt, job.origin, session=job.session)
            else:
                job.recorder = self.library.record_below(job.node, job.origin)
            for index, place in enumerate(job.places):
                self._put(job, index, place)
        except (Problem, OSError) as problem:
            self._not_kept(problem)

    def _not_kept(self, problem: object) -> None:
        self.unkept = str(problem)
        self.problems.append(f"not kept in the library: {problem}")

    def _put(self, job: Job, index: int, place: Place) -> None:
        below = place.below()
        if job.recorder and below:
            job.recorder.put_below(index, below, place.shared)

    def _follow(self, job: Job, session: Session) -> None:
        complained = False
        try:
            for event in session.events():
                with self._lock:
                    if job.recorder:
                        job.recorder.tell(event)
                        if job.recorder.problem and not complained:
                            complained = True
                            self._not_kept(job.recorder.problem)
                self._news.append((job, event))
        finally:
            session.stop()
            session.join()

    def _keep(self, job: Job) -> None:
        if job.recorder:
            try:
                job.recorder.close()
            except (Problem, OSError) as problem:
                self._not_kept(problem)


def turn(session: Session, steering: Steering) -> None:
    session.steer(
        router=steering.router,
        threshold=steering.threshold,
        sampling=steering.sampling,
        base_share=steering.base_share,
    )


def told(problem: BaseException) -> str:
    """For people, whatever it is."""
    if isinstance(problem, Problem | OSError) or not isinstance(problem, Exception):
        return str(problem)
    return str(internal(problem))


def in_a_thread(ask: Callable[[], Found]) -> Found:
    found: Future[Found] = Future()

    def run() -> None:
        try:
            found.set_result(ask())
        except BaseException as problem:
            found.set_exception(problem)

    thread = threading.Thread(target=run, name="scribe looks")
    thread.start()
    thread.join()
    return found.result()


def with_tokens(request: Request, longest: int) -> Request:
    """With room for a beginning of so many tokens, and for going on from there."""
    if not longest:
        return request
    return replace(request, max_tokens=max(request.max_tokens, longest + max(16, request.max_tokens // 2)))
