"""Two variants side by side."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from ..desk import Card
from ..widgets.card import Look, facts, told
from .answering import Answering


class CompareScreen(Answering[None], ModalScreen[None]):
    """star: what the keys 1 and 2 do with the left and the right card."""

    CSS_PATH = "compare.tcss"
    BINDINGS = [
        Binding("1", "star(0)", "star left"),
        Binding("2", "star(1)", "star right"),
        Binding("escape,c,q", "leave", "back"),
    ]

    def __init__(
        self, cards: tuple[tuple[int, Card], tuple[int, Card]], look: Look, star: Callable[[Card], None]
    ) -> None:
        super().__init__()
        self.cards, self.look, self.star = cards, look, star

    def compose(self) -> ComposeResult:
        with Horizontal():
            for place, _ in enumerate(self.cards):
                with VerticalScroll():
                    yield Static(id=f"head{place}", classes="head")
                    yield Static(id=f"text{place}")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.tell()

    def tell(self) -> None:
        for place, (number, card) in enumerate(self.cards):
            star = " ★" if card.take.starred else ""
            said = " · ".join([f"{number}{star}", *facts(card)])
            self.query_one(f"#head{place}", Static).update(Content(said))
            self.query_one(f"#text{place}", Static).update(told(card.take, self.look))

    def action_star(self, place: int) -> None:
        self.star(self.cards[place][1])
        self.tell()

    def action_leave(self) -> None:
        self.dismiss(None)
