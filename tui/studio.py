"""All that can be done at the desk, as plain code: the screens bind keys to it, and tests need no screen.

What a writer decides is done on the page at once and handed to the library behind it, in order. Everything that changes
the page can be undone; nothing is ever written over.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from baco_local import knob
from baco_local.catalog.entries import PairEntry
from baco_local.collaboration.routers import router
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Beginning, Token
from baco_local.errors import Problem, UsageProblem
from baco_local.library import Library, Node
from baco_local.origin import SIDES, files_of, origin_of, same_files, steering_of
from baco_local.pair import own_steering
from baco_local.text import clean

from .books import Books
from .desk import NOT_DONE, Card, Deed, Deeds, Draft, Page, Parting, Setup, Take, begun, page_of, parting, request_for
from .flow import Flow, Wish, put_back, remove
from .scribe import Job, Scribe, WritingPair, told, with_tokens


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
        draft, request = self.draft, request_for(self.setup, Page(self.draft.text, self.draft.mode), self.setup.n)
        if self.page.cards and (self.page.prompt, self.page.mode) == (draft.text, draft.mode):
            self.more()
            return
        self.stop()
        self.draft = Draft(self.page.prompt, self.page.mode)  # what undo comes back to
        self._turn(Page(request.prompt, request.mode, session=draft.session), draft, "new page")
        self._ask([Wish(Card([]), Take()) for _ in range(request.n)])

    def more(self) -> None:
        request_for(self.setup, self.page, self.setup.n)
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
        """Every card without a star, also below."""
        starred = [card for card in self.page.cards if any(take.starred for take in card.takes)]
        cards = [card for card in self.page.cards if card not in starred and card.take.done]
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
        self._can_undo("written on the other way", wishes)

    def go_from(self, card: Card, at: int, instead: Token | None = None) -> None:
        """From token `at` on, or with another token in its place."""
        wishes = [self._from(card, at, instead)]
        self._ask(wishes)
        self._can_undo("written on from a word", wishes)

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
        drafts = [self.draft, Draft(text, "continue", self._session())]  # as they are left, with what was typed

        def undo() -> None:
            drafts[1], self.draft = self.draft, drafts[0]

        def redo() -> None:
            drafts[0], self.draft = self.draft, drafts[1]

        self.deeds.do(Deed("branch", undo, redo))

    # steering

    def steer(self, **changes: Any) -> None:
        """router, threshold or temperature. A new router stands where the old one stood between aligned and base."""
        old, threshold = router(self.steering.router), self.steering.threshold
        if "temperature" in changes:
            changes["sampling"] = replace(self.steering.sampling, temperature=changes.pop("temperature"))
        if "router" in changes:
            new = router(changes["router"])
            changes["threshold"] = knob.default_at(self.setup.entry, new)
            if new.limits and old.limits and threshold is not None:
                entry = self.setup.entry
                changes["threshold"] = knob.threshold_at(entry, new, knob.diversity_at(entry, old, threshold))
        if changes.keys() & {"router", "threshold"}:
            changes["base_share"] = None
        self.steering = replace(self.steering, **changes)
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
        """The draft as it is typed. An emptied box is a new task, and no branch any more."""
        self.draft = replace(self.draft, text=text) if text.strip() else Draft(text)

    def change_mode(self) -> None:
        self.draft = replace(self.draft, mode="instruct" if self.draft.mode == "continue" else "continue")

    def open(self, prompt: Node) -> None:
        """A page of the library, with the steering that it was written under. What is being written is stopped first."""
        if self.library is None or prompt.id == self.page.node:
            return
        self.stop()
        self.flow.wait()
        self.books.settle()
        page = page_of(self.library, prompt)
        self._turn(page, Draft(page.prompt, page.mode), "open")
        self.steering = steering_of(page.origin) or self.steering

    def use(self, entry: PairEntry, open: Callable[[], WritingPair]) -> None:
        """Another pair, with its own settings. Raises UsageProblem where they are wrong."""
        self.stop()
        self.steering = own_steering(entry)
        self.setup.entry, self.setup.given = entry, {**self.setup.given, "pair": entry.name, **dict.fromkeys(SIDES)}
        self.scribe.use(open)

    def request(self, page: Page) -> Request:
        """What the page's variants were asked for with, as far as their tokens are concerned."""
        return request_for(self.setup, page, 1)

    def ours(self, take: Take) -> bool:
        """Was it written by the pair that is here now? Another one's tokens mean something else."""
        return take.files is None or same_files(take.files, files_of(self.setup.entry))

    def close(self) -> None:
        """Stops, keeps everything, and frees the models."""
        self.stop()
        try:
            self.scribe.close()
            self.flow.pull()
        finally:
            self.books.close()

    # how it is done

    def _turn(self, page: Page, draft: Draft, label: str) -> None:
        """To another page; undone with what was typed on either."""
        places = [(self.page, self.draft), (page, draft)]

        def to(here: int, there: int) -> Callable[[], None]:
            def turn() -> None:
                if self.scribe.writing:
                    raise UsageProblem(NOT_DONE)
                places[here] = self.page, self.draft
                self.page, self.draft = places[there]

            return turn

        self.page, self.draft = page, draft
        self.deeds.did(Deed(label, to(1, 0), to(0, 1)))

    def _ask(self, wishes: Sequence[Wish]) -> None:
        page = self.page

        def job_of(wishes: Sequence[Wish]) -> Job:
            longest = max(len(wish.beginning.kept) for wish in wishes)
            request = with_tokens(request_for(self.setup, page, len(wishes)), longest)
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
        if not self.ours(take):
            raise UsageProblem("another pair wrote this, and only that one can go on from it exactly; F4 chooses it")
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
            there = [wish for wish in wishes if not wish.take.gone]
            if not all(wish.take.done for wish in there):
                raise UsageProblem(NOT_DONE)
            for wish in reversed(there):
                remove(page, wish)
                if library:
                    self.books.keep(wish.take, library.remove)

        def redo() -> None:
            for wish in [wish for wish in wishes if not wish.take.gone]:
                put_back(page, wish, places[id(wish)])
                if library:
                    self.books.keep(wish.take, library.restore)

        self.deeds.did(Deed(label, undo, redo))
