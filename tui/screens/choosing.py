"""What is done with a text that is there: edited, copied, compared, starred, exported. The part of the workbench that writes nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.screen import Screen

from baco_local.errors import Problem, UsageProblem

from ..desk import Card, done
from ..output import exported, to_export
from ..studio import Studio
from ..widgets.edit import EditBox
from ..widgets.grid import CardGrid
from .ask import AskText
from .compare import CompareScreen

if TYPE_CHECKING:
    from ..app import Desk


class Choosing(Screen[None]):
    app: "Desk"
    grid: CardGrid

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.studio = studio
        self.held: Card | None = None  # for comparing

    def tell(self) -> None:
        """Shows the cards as the studio has them."""
        self.grid.show(self.studio.page.cards)

    def do(self, act: Any, *arguments: Any) -> bool:
        """Does it and shows what has become of it; or says why not, and is False."""
        done = False
        try:
            act(*arguments)
            done = True
        except UsageProblem as problem:
            self.app.say(str(problem))
        except (Problem, OSError) as problem:
            self.app.complain(str(problem))
        self.tell()
        return done

    def on_card(self, act: Any, *arguments: Any) -> None:
        if self.grid.card:
            self.do(act, self.grid.card, *arguments)

    def star(self, card: Card) -> None:
        self.do(self.studio.star, card)

    def action_edit(self) -> None:
        self.on_card(lambda card: self.mount(EditBox(done(card), self.grid.region_of_current())))

    @on(EditBox.Done)
    def edited(self, event: EditBox.Done) -> None:
        self.keep(event.box)
        if event.left:
            self.grid.focus()

    def keep(self, box: EditBox) -> None:
        self.do(self.studio.edit, box.card, box.text, box.take)

    def keep_edits(self) -> None:
        """What is being edited is kept as it stands: the app ends, or the card is elsewhere."""
        for box in self.query(EditBox):
            box.over = True
            self.keep(box)
            box.remove()

    def on_resize(self) -> None:
        self.keep_edits()

    def action_editor(self) -> None:
        card = self.grid.card
        if card and card.take.done and (text := self.app.in_editor(card.take.text)) is not None:
            self.do(self.studio.edit, card, text)

    def action_copy(self) -> None:
        if self.grid.card:
            self.app.copy_to_clipboard(self.grid.card.take.text.strip())
            self.app.say("copied")

    def action_compare(self) -> None:
        card, held = self.grid.card, self.held
        cards = self.studio.page.cards
        if card and held and held is not card and held in cards:
            both = (cards.index(held) + 1, held), (cards.index(card) + 1, card)
            self.held = None
            self.app.push_screen(
                CompareScreen(both, self.grid.look(), self.star),
                lambda _: self.tell(),
            )
        elif card:
            self.held = card
            self.app.say("c on another one shows both side by side")

    def action_export(self) -> None:
        page = self.studio.page
        takes = to_export(page)
        kind = "starred " if any(take.starred for take in takes) else ""
        what = f"the {len(takes)} {kind}ideas"

        def write(name: str | None) -> None:
            if name:
                self.do(lambda: self.app.say(f"written: {exported(self.studio, Path(name))}"))

        self.app.push_screen(AskText(f"Write {what} of this page to a file (.md, .txt or .jsonl)", "ideas.md"), write)
