"""All that can be done at the desk, as plain code: the screens bind keys to it, and tests need no screen.

What a writer decides is done on the page at once and handed to the library behind it, in order. Everything that changes
the page can be undone; nothing is ever written over.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from baco_local.catalog.entries import PairEntry
from baco_local.collaboration.routers import router
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Beginning, Token
from baco_local.errors import Problem, UsageProblem
from baco_local.library import Library, Node
from baco_local.origin import SIDES, origin_of, steering_of
from baco_local.pair import own_steering
from baco_local.text import clean

from .books import Books
from .desk import NOT_DONE, Card, Deed, Deeds, Draft, Page, Parting, Setup, Take, page_of, parting
from .flow import Flow, Wish, put_back, remove
from .scribe import Job, Scribe, WritingPair, told, with_tokens

SLOTS = 16  # variants written at once


class Studio:
    """The page, and everything that is done with it. Use it from one thread, and call `flow.pull` often."""

    def __init__(self, scribe: Scribe, library: Library | None, setup: Setup, steering: Steering) -> None:
        self.scribe, self.library, self.setup, self.steering = scribe, library, setup, steering
        self.page, self.draft = Page(), Draft()
        self.flow, self.deeds = Flow(scribe), Deeds()
        self.books = Books(library, self.flow.problems)

    # writing

    def write(self) -> None:
        """Ideas for the draft: on a new page, or more on this one if it is of the same prompt. Raises UsageProblem."""
        draft, request = self.draft, self._request(Page(self.draft.text, self.draft.mode), self.setup.n)
        if self.page.cards and (self.page.prompt, self.page.mode) == (draft.text, draft.mode):
            self.more()
            return
        self.stop()
        before, after = self.page, Page(request.prompt, request.mode, session=draft.session)

        def turn_to(page: Page) -> Callable[[], None]:
            def turn() -> None:
                if self.scribe.writing:
                    raise UsageProblem(NOT_DONE)
                self.page, self.draft = page, Draft(page.prompt, page.mode)

            return turn

        self.page = after
        self.deeds.did(Deed("new page", turn_to(before), turn_to(after)))
        self._ask([Wish(Card([]), Take()) for _ in range(request.n)])

    def more(self) -> None:
        self._request(self.page, self.setup.n)
        wishes = [Wish(Card([]), Take()) for _ in range(self.setup.n)]
        self._ask(wishes)
        self._can_undo("more", wishes)

    def reroll(self, cards: Sequence[Card]) -> None:
        """Another take on each of these."""
        wishes = [Wish(card, Take(), source=card.take) for card in cards if card.take.done]
        if not wishes:
            raise UsageProblem(NOT_DONE)
        self._ask(wishes)
        self._can_undo("reroll", wishes)

    def reroll_unstarred(self) -> None:
        cards = [card for card in self.page.cards if not card.take.starred and card.take.done]
        if not cards:
            raise UsageProblem("nothing to reroll: all are starred, or still being written")
        self.reroll(cards)

    def go_other_way(self, cards: Sequence[Card]) -> None:
        """Each from where it would have gone the other way as the knob stands now."""
        found = [(card, self.parting(card.take)) for card in cards]
        wishes = [self._from(card, parted.at, anew=True) for card, parted in found if parted]
        if not wishes:
            raise UsageProblem("it would have gone the same way; turn the knob further")
        self._ask(wishes)
        self._can_undo("other way", wishes)

    def go_from(self, card: Card, at: int, instead: Token | None = None) -> None:
        """From token `at` on, or with another token in its place."""
        wishes = [self._from(card, at, instead)]
        self._ask(wishes)
        self._can_undo("regenerate", wishes)

    def stop(self) -> None:
        """What is there is kept."""
        self.flow.drop_waiting()
        self.scribe.stop()

    # deciding

    def star(self, card: Card) -> None:
        take = begun(card.take)
        self._mark(take, "unstar" if take.starred else "star", (not take.starred, False))

    def reject(self, card: Card) -> None:
        take = begun(card.take)
        self._mark(take, "take back" if take.rejected else "reject", (False, not take.rejected))

    def edit(self, card: Card, text: str, source: Take | None = None) -> None:
        """The text as the writer wants it: a take of its own above all, made of `source`, or of the one on top."""
        source, text, library = source or card.take, clean(text), self.library
        if not source.done:
            raise UsageProblem(NOT_DONE)
        if text == source.text:
            return
        wish = Wish(card, Take("edit", text, [], "edit", source.starred), source=source)
        card.put(wish.take)
        if library:

            def keep(id: str) -> None:
                wish.take.node = library.edit(id, text).id
                if wish.take.starred:
                    library.star(wish.take.node)

            self.books.keep(source, keep)
        self._can_undo("edit", [wish])

    def branch(self, card: Card) -> None:
        """The variant becomes the text to continue."""
        text = self.page.prompt + card.take.text if self.page.mode == "continue" else card.take.text.lstrip()
        if not text.strip():
            raise UsageProblem("nothing is written there yet")
        before, after = self.draft, Draft(text, "continue", self._session())

        def to(draft: Draft) -> Callable[[], None]:
            def act() -> None:
                self.draft = draft

            return act

        self.deeds.do(Deed("branch", to(before), to(after)))

    # steering

    def steer(self, **changes: Any) -> None:
        """router, threshold or temperature. A new router stands where the old one stood between aligned and base."""
        old, threshold = router(self.steering.router), self.steering.threshold
        if "temperature" in changes:
            changes["sampling"] = replace(self.steering.sampling, temperature=changes.pop("temperature"))
        if "router" in changes:
            new = router(changes["router"])
            known = new.limits and old.limits and threshold is not None
            changes["threshold"] = new.at(old.diversity(threshold)) if known and threshold is not None else None
        self.steering = replace(self.steering, base_share=None, **changes)
        self.scribe.steer(self.steering)

    def parting(self, take: Take) -> Parting | None:
        """Where it would have gone the other way, as the knob stands now."""
        self.tokens(take)
        return parting(take, self.steering)

    def tokens(self, take: Take) -> list[Token]:
        """Its trace, fetched from the library where it isn't here; [] where there is none."""
        if take.tokens is None:
            take.tokens = []
            if self.library and take.node:
                try:
                    take.tokens = list(self.library.trace(take.node))
                except (Problem, OSError) as problem:
                    self.flow.problems.append(told(problem))
        return take.tokens

    # pages

    def type(self, text: str) -> None:
        """The draft as it is typed. An emptied box is no branch any more."""
        self.draft = replace(self.draft, text=text, session=self.draft.session if text.strip() else None)

    def change_mode(self) -> None:
        self.draft = replace(self.draft, mode="instruct" if self.draft.mode == "continue" else "continue")

    def open(self, prompt: Node) -> None:
        """A page of the library, with the steering that it was written under."""
        if self.library is None:
            return
        self.stop()
        self.page = page_of(self.library, prompt)
        self.draft, self.deeds = Draft(self.page.prompt, self.page.mode), Deeds()
        self.steering = steering_of(self.page.origin) or self.steering

    def use(self, entry: PairEntry, open: Callable[[], WritingPair]) -> None:
        """Another pair, with its own settings. Raises UsageProblem where they are wrong."""
        self.steering = own_steering(entry)
        self.setup.entry, self.setup.given = entry, {**self.setup.given, "pair": entry.name, **dict.fromkeys(SIDES)}
        self.scribe.use(open)

    def request(self, page: Page) -> Request:
        """What the page's variants were asked for with, as far as their tokens are concerned."""
        return self._request(page, 1)

    def close(self) -> None:
        """Stops, keeps everything, and frees the models."""
        self.scribe.close()
        self.flow.pull()
        self.books.close()

    # how it is done

    def _request(self, page: Page, n: int) -> Request:
        setup, spare = self.setup, max(0, SLOTS - n)
        options = {"max_tokens": setup.max_tokens, "system": setup.system, "mode": page.mode}
        return Request(page.prompt, n=n, seed=secrets.randbits(32), slots=SLOTS, spare=spare, **options)  # type: ignore[arg-type]

    def _ask(self, wishes: Sequence[Wish]) -> None:
        page = self.page

        def job_of(wishes: Sequence[Wish]) -> Job:
            longest = max(len(wish.beginning.kept) for wish in wishes)
            request = with_tokens(self._request(page, len(wishes)), longest)
            return Job(
                request,
                self.steering,
                origin_of(self.setup.entry, request, self.steering, self.setup.given),
                tuple(wish.beginning for wish in wishes),
                tuple(wish.place for wish in wishes),
                node=page.node,
                session=page.session,
            )

        self.flow.ask(page, wishes, job_of)

    def _from(self, card: Card, at: int, instead: Token | None = None, anew: bool = False) -> Wish:
        take, tokens = card.take, self.tokens(card.take)
        if not take.done:
            raise UsageProblem(NOT_DONE)
        if at >= len(tokens):
            raise UsageProblem("who wrote which word is not known here, so nothing can go on from it exactly")
        kept = (*tokens[:at], instead) if instead else tuple(tokens[:at])
        beginning = Beginning(kept, tokens[at] if anew else None)
        return Wish(card, Take("branch" if kept else "variant"), beginning, take)

    def _session(self) -> str | None:
        page = self.page
        if page.session is None and page.node and self.library:
            page.session = self.library.node(page.node).session
        return page.session

    def _mark(self, take: Take, label: str, after: tuple[bool, bool]) -> None:
        def to(state: tuple[bool, bool]) -> Callable[[], None]:
            def act() -> None:
                take.starred, take.rejected = state
                take.version += 1
                self.books.mark(take, *state)

            return act

        self.deeds.do(Deed(label, to((take.starred, take.rejected)), to(after)))

    def _can_undo(self, label: str, wishes: Sequence[Wish]) -> None:
        page, library = self.page, self.library
        if not all(wish.card in page.cards for wish in wishes):
            return  # an edit of a page that was left meanwhile
        places = {id(wish): page.cards.index(wish.card) for wish in wishes}

        def undo() -> None:
            if not all(wish.take.done for wish in wishes if wish.take in wish.card.takes):
                raise UsageProblem(NOT_DONE)
            for wish in reversed(wishes):
                remove(page, wish)
                if library:
                    self.books.keep(wish.take, library.remove)

        def redo() -> None:
            for wish in wishes:
                put_back(page, wish, places[id(wish)])
                if library:
                    self.books.keep(wish.take, library.restore)

        self.deeds.did(Deed(label, undo, redo))


def begun(take: Take) -> Take:
    if not take.text and not take.done:
        raise UsageProblem("nothing is written there yet")
    return take
