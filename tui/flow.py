"""Between the page and the scribe: takes that are wished for become jobs, and what is written of them comes back."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from baco_local.collaboration.events import Began, Ended, Failed, Summary, Wrote
from baco_local.collaboration.variant import Beginning
from baco_local.errors import UsageProblem

from .desk import Card, Page, Take
from .scribe import Job, Place, Scribe, told

PATIENCE = 3.0  # seconds
FROM_NOTHING = Beginning()


@dataclass(frozen=True, slots=True)
class Wish:
    """A take to be written. source: the take that it is another one of, and of which it keeps the first tokens."""

    card: Card
    take: Take
    beginning: Beginning = FROM_NOTHING
    source: Take | None = None

    @property
    def place(self) -> Place:
        source = self.source
        if source is None:
            return Place()
        alike = enumerate(zip(self.beginning.kept, source.tokens or (), strict=False))
        shared = next((at for at, (one, two) in alike if one != two), len(self.beginning.kept))
        return Place(lambda: source.id, shared)


@dataclass(slots=True)
class Pace:
    """How fast a job goes: its tokens so far, and when the first and the newest came, in seconds."""

    tokens: int = 0
    began: float = 0.0
    newest: float = 0.0

    def count(self) -> None:
        self.newest = time.monotonic()
        self.began = self.began or self.newest
        self.tokens += 1

    @property
    def rate(self) -> float:
        """Tokens a second; 0 while that can't be said."""
        took = self.newest - self.began
        return self.tokens / took if took > 0.5 else 0.0


class Flow:
    """page: the one that the newest job writes on."""

    def __init__(self, scribe: Scribe) -> None:
        self.scribe = scribe
        self.page: Page | None = None
        self.pace = Pace()
        self.problems: deque[str] = deque()  # to be shown
        self._asked: dict[tuple[Job, int], tuple[Page, Wish]] = {}
        self._later: list[Wish] = []  # for a job of their own, when the running one is over
        self._job_of: Callable[[Sequence[Wish]], Job] | None = None

    def ask(self, page: Page, wishes: Sequence[Wish], job_of: Callable[[Sequence[Wish]], Job]) -> None:
        """Puts the takes on the page, to be written by the running job, if that is this page's and has room, or by the next."""
        for wish in wishes:
            wish.card.put(wish.take)
            if wish.card not in page.cards:
                page.cards.append(wish.card)
        job = self.scribe.job
        running = job is not None and self.scribe.writing and not job.stopped and self.page is page
        self._job_of = job_of
        later = []
        for wish in wishes:
            index = self._added(wish) if running else None
            if job and index is not None:
                self._expect(job, index, page, wish)
            else:
                later.append(wish)
        if running:
            self._later += later
        elif later:
            self._start(page, later)

    def _added(self, wish: Wish) -> int | None:
        try:
            return self.scribe.add(wish.beginning, wish.place)
        except UsageProblem:
            return None  # a job of its own says why not, and takes it off the page

    def pull(self) -> set[Take]:
        """Tells the takes what was written of them since the last call. Which ones have changed."""
        changed: set[Take] = set()
        for job, event in self.scribe.news():
            if isinstance(event, Began | Wrote | Ended):
                index = event.variant.index if isinstance(event, Ended) else event.index
                found = self._asked.get((job, index))
                if found:
                    found[0].node = found[0].node or job.node
                    found[1].take.tell(event)
                    changed.add(found[1].take)
                if isinstance(event, Wrote) and job is self.scribe.job:
                    self.pace.count()
            elif isinstance(event, Failed | Summary):
                if isinstance(event, Failed):
                    self.problems.append(told(event.problem))
                changed |= self._settle(job)
        while self.scribe.problems:
            self.problems.append(self.scribe.problems.popleft())
        if self._later and not self.scribe.writing and self.page:
            later, self._later = self._later, []
            self._start(self.page, later)
        return changed

    def wait(self) -> None:
        """Until what was stopped is over, and the library has it: a moment. Not for models that are still loading."""
        patient = time.monotonic() + PATIENCE
        while self.scribe.job and self.scribe.job.state == "writing" and time.monotonic() < patient:
            self.pull()
            time.sleep(0.01)

    def drop_waiting(self) -> None:
        """Takes that wait for a job of their own are not written."""
        if self.page:
            for wish in self._later:
                wish.take.gone = True
                remove(self.page, wish)
        self._later = []

    def _start(self, page: Page, wishes: Sequence[Wish]) -> None:
        if self._job_of is None:
            return
        job, self.page, self.pace = self._job_of(wishes), page, Pace()
        for index, wish in enumerate(wishes):
            self._expect(job, index, page, wish)
        self.scribe.write(job)

    def _expect(self, job: Job, index: int, page: Page, wish: Wish) -> None:
        wish.take.job, wish.take.index, wish.take.files = job, index, job.origin.get("files")
        self._asked[job, index] = page, wish

    def _settle(self, job: Job) -> set[Take]:
        """The job is over: what has begun is what it is, what has not leaves the page."""
        changed = set()
        for key in [key for key in self._asked if key[0] is job]:
            page, wish = self._asked.pop(key)
            page.node = page.node or job.node
            if wish.take.done:
                continue
            changed.add(wish.take)
            if wish.take.tokens:
                wish.take.stop = "cancelled"
                wish.take.version += 1
            else:
                wish.take.gone = True
                remove(page, wish)
        return changed


def remove(page: Page, wish: Wish) -> None:
    """Takes it off its card; a card with nothing else on it leaves the page as it is."""
    card = wish.card
    if card.takes == [wish.take]:
        if card in page.cards:
            page.cards.remove(card)
    elif wish.take in card.takes:
        place = card.takes.index(wish.take)
        card.takes.remove(wish.take)
        card.at = min(card.at - (place < card.at), len(card.takes) - 1)


def put_back(page: Page, wish: Wish, at: int) -> None:
    """What `remove` took away; a card comes back to its place."""
    if wish.take not in wish.card.takes:
        wish.card.put(wish.take)
    if wish.card not in page.cards:
        page.cards.insert(at, wish.card)
