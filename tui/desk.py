"""What lies on the desk: a page with the variants of one prompt, each a card with one or more takes. No widgets here."""

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from baco_local.catalog.entries import PairEntry
from baco_local.collaboration.events import Began, Ended, Event, Wrote
from baco_local.collaboration.routers import router
from baco_local.collaboration.settings import SYSTEM, Request, Steering
from baco_local.collaboration.variant import Token
from baco_local.errors import UsageProblem
from baco_local.library import Library, Node

from .scribe import Job


@dataclass(slots=True, eq=False)
class Take:
    """One text on a card. tokens: its trace; None where that is in the library, and () where there is none. stop: None
    while it is being written. gone: it left the page before it began. files: of the pair that wrote it. version: goes up with every change, so that who has drawn it knows."""

    kind: str = "variant"
    text: str = ""
    tokens: list[Token] | None = field(default_factory=list)
    stop: str | None = None
    starred: bool = False
    rejected: bool = False
    node: str | None = None
    job: Job | None = None
    index: int = 0
    gone: bool = False
    files: Mapping[str, Any] | None = None
    version: int = 0

    @property
    def id(self) -> str | None:
        """Its node's in the library, once it has one."""
        if self.node is None and self.job and self.job.recorder and self.index in self.job.recorder.pieces:
            return str(self.job.recorder.id_of(self.index))
        return self.node

    @property
    def done(self) -> bool:
        return self.stop is not None

    def tell(self, event: Event) -> None:
        self.version += 1
        if isinstance(event, Began):
            self.tokens = list(event.kept)
            self.text = "".join(token.piece for token in event.kept)
        elif isinstance(event, Wrote) and self.tokens is not None:
            self.tokens.append(event.token)
            self.text += event.token.piece
        elif isinstance(event, Ended):
            self.text, self.tokens, self.stop = event.variant.text, list(event.variant.trace), event.variant.stop


@dataclass(slots=True, eq=False)
class Card:
    """takes: oldest first; at: the one on top."""

    takes: list[Take]
    at: int = 0

    @property
    def take(self) -> Take:
        return self.takes[self.at]

    def put(self, take: Take) -> None:
        self.takes.append(take)
        self.at = len(self.takes) - 1

    def turn(self, by: int) -> bool:
        """To an older or newer take; False at the end of them."""
        at = min(max(self.at + by, 0), len(self.takes) - 1)
        moved, self.at = at != self.at, at
        return moved


SLOTS = 16  # variants written at once
NOT_DONE = "still being written; esc stops it"


def done(card: Card) -> Card:
    """Raises UsageProblem for one that is still being written."""
    if not card.take.done:
        raise UsageProblem(NOT_DONE)
    return card


def begun(take: Take) -> Take:
    if not take.text and not take.done:
        raise UsageProblem("nothing is written there yet")
    return take


@dataclass(slots=True, eq=False)
class Page:
    """A prompt and its cards. node: the prompt's in the library; session: the library's session that it is in."""

    prompt: str = ""
    mode: str = "instruct"
    cards: list[Card] = field(default_factory=list)
    node: str | None = None
    session: str | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def takes(self) -> list[Take]:
        """What is on top of each card."""
        return [card.take for card in self.cards]

    def find(self, node: str) -> int:
        """Which card has this take, now on top; the first one for none."""
        for index, card in enumerate(self.cards):
            for at, take in enumerate(card.takes):
                if take.node == node:
                    card.at = at
                    return index
        return 0


@dataclass(slots=True)
class Setup:
    """What ideas are made with, beside the steering. given: which pair or files were asked for, as options of `ideas`."""

    entry: PairEntry
    given: Mapping[str, Any] = field(default_factory=dict)
    n: int = 16
    max_tokens: int = 96


@dataclass(frozen=True, slots=True)
class Draft:
    """What is in the prompt box. session: the library session that it goes on from, where it is a branch."""

    text: str = ""
    mode: str = "instruct"
    session: str | None = None


def request_for(setup: Setup, page: Page, n: int) -> Request:
    """As the page was begun with, where the library says so. Raises UsageProblem."""
    before = page.origin.get("options", {})
    return Request(
        page.prompt,
        n=n,
        seed=secrets.randbits(32),
        max_tokens=setup.max_tokens,
        system=before.get("system") or SYSTEM,
        mode=page.mode,
        first=before.get("first") or "aligned",
        stop=tuple(before.get("stop") or ()),
        slots=SLOTS,
        spare=max(0, SLOTS - n),
    )


@dataclass(frozen=True, slots=True)
class Parting:
    """Where a take would have gone the other way: before its token `at`, the word there, how many words are before it."""

    at: int
    word: str
    words: int


def parting(take: Take, steering: Steering) -> Parting | None:
    """Under this steering; of a finished take whose trace is known."""
    if not take.done or not take.tokens or steering.base_share is not None:
        return None
    at = router(steering.router).parts(steering.threshold, take.tokens)
    if at is None:
        return None
    before = "".join(token.piece for token in take.tokens[:at])
    after = "".join(token.piece for token in take.tokens[at : at + 8]).split()
    return Parting(at, after[0] if after else "", len(before.split()))


def base_share(takes: Sequence[Take]) -> float | None:
    """Of all tokens of these takes that are known."""
    tokens = [token for take in takes for token in take.tokens or ()]
    return sum(token.speaker == "base" for token in tokens) / len(tokens) if tokens else None


def page_of(library: Library, prompt: Node) -> Page:
    """A prompt of the library with everything below it: a card for each idea, whose takes are the idea and what came of it.
    On top lies the newest star, or the newest take."""
    page = Page(
        prompt.text,
        "continue" if prompt.origin.get("options", {}).get("carry_on") else "instruct",
        node=prompt.id,
        session=prompt.session,
        origin=dict(prompt.origin),
    )
    cards: dict[str, Card] = {}
    for node in library.ideas(prompt.id):
        take = Take(node.kind, node.text, None, node.stop or "cancelled", node.starred, node.rejected, node.id)
        take.files = node.origin.get("files")
        if node.kind == "edit":
            take.tokens = []
        card = cards.get(node.parent or "")
        if card is None:
            card = Card([])
            page.cards.append(card)
        card.put(take)
        cards[node.id] = card
        page.origin = dict(node.origin) or page.origin
    for card in page.cards:
        starred = [at for at, take in enumerate(card.takes) if take.starred]
        card.at = starred[-1] if starred else len(card.takes) - 1
    return page


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, and can be undone and done again."""

    label: str
    undo: Callable[[], None]
    redo: Callable[[], None]


@dataclass(slots=True)
class Deeds:
    """What was done, newest last, and what was undone."""

    done: deque[Deed] = field(default_factory=lambda: deque(maxlen=500))
    undone: list[Deed] = field(default_factory=list)

    def do(self, deed: Deed) -> None:
        deed.redo()
        self.did(deed)

    def did(self, deed: Deed) -> None:
        self.done.append(deed)
        self.undone.clear()

    def undo(self) -> str | None:
        """What was undone; None where nothing is left."""
        if not self.done:
            return None
        deed = self.done[-1]
        deed.undo()  # may refuse
        self.undone.append(self.done.pop())
        return deed.label

    def redo(self) -> str | None:
        if not self.undone:
            return None
        deed = self.undone[-1]
        deed.redo()
        self.done.append(self.undone.pop())
        return deed.label
