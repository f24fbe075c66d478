"""The words of one variant: who wrote which, what the router saw, and what else could have been written there."""

import asyncio
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from baco_local.collaboration.alternatives import Alternative
from baco_local.collaboration.routers import router
from baco_local.collaboration.variant import Token
from baco_local.errors import Problem
from baco_local.knob import diversity_at, threshold_at

from ..desk import Card
from ..studio import Studio
from ..widgets.chart import Chart
from ..widgets.slider import Slider
from ..widgets.trace import TraceText
from .answering import Answering

if TYPE_CHECKING:
    from ..app import Desk

PAUSE = 0.25  # seconds that the cursor rests before the models are asked
Choice = tuple[int, Token | None]  # from which token on, and what to write there


class WordsScreen(Answering[Choice | None]):
    """Gives the place to write on from, and the token chosen there."""

    CSS_PATH = "words.tcss"
    BINDINGS = [
        Binding("escape,t,q", "leave", "back"),
        Binding("left_square_bracket,f6", "knob(-1)", "safer"),
        Binding("right_square_bracket,f7", "knob(1)", "wilder"),
        Binding("left_curly_bracket", "knob(-5)", show=False),
        Binding("right_curly_bracket", "knob(5)", show=False),
        Binding("f", "part", "where it parts"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (28, "-tall")]
    app: "Desk"

    def __init__(self, studio: Studio, card: Card) -> None:
        super().__init__()
        self.studio, self.card = studio, card
        self.tokens = studio.tokens(card.take)
        self.found: dict[int, tuple[list[Alternative], list[Alternative]]] = {}

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="words"):
            yield TraceText(self.tokens, id="trace")
        yield Static(id="here", markup=False)
        yield Chart(id="chart")
        yield Slider(id="knob")
        with Horizontal(id="others"):
            for side in ("base", "aligned"):
                with Vertical():
                    yield Static(Content(f"{side} could have written"), classes="side")
                    yield OptionList(id=side, markup=False, compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.trace, self.chart = self.query_one(TraceText), self.query_one(Chart)
        self.slider = self.query_one(Slider)
        parted = self.studio.parting(self.card.take)
        first = next((at for at, token in enumerate(self.tokens) if token.routed), 0)
        self.trace.cursor = parted.at if parted else first
        self.trace.focus()
        self.tell()

    def tell(self) -> None:
        steering = self.studio.steering
        chosen, threshold = router(steering.router), steering.threshold
        self.slider.disabled = chosen.limits is None
        with self.prevent(Slider.Changed):
            place = 0.0
            if threshold is not None and chosen.limits:
                place = diversity_at(self.studio.setup.entry, chosen, threshold)
            self.slider.value = place
            self.slider.shown = f"{steering.router} {threshold:.2f}" if threshold is not None else steering.router
        parted = self.studio.parting(self.card.take)
        self.trace.parted = parted.at if parted else None
        self.trace.tell()
        self.chart.tell(self.tokens, steering, self.trace.cursor)
        self.query_one("#here", Static).update(Content(self.said()))

    def said(self) -> str:
        """Of the token under the cursor."""
        if not self.tokens:
            return "who wrote which word of this one is not known"
        at = self.trace.cursor
        token = self.tokens[at]
        parts = [f"token {at + 1} of {len(self.tokens)}", f"{token.piece.strip() or token.piece!r} by {token.speaker}"]
        if token.base_top_p is not None:
            parts.append(f"base's best guess had {token.base_top_p:.2f}, its entropy {token.base_entropy:.2f} nats")
        elif at and not token.routed:
            parts.append("inside a word" if token.piece[:1].isalnum() else "not routed")
        if at == self.trace.parted:
            parts.append("here it would go the other way now")
        return " · ".join(parts)

    @on(TraceText.Moved)
    def moved(self) -> None:
        self.tell()
        self.ask()

    @work(exclusive=True)
    async def ask(self) -> None:
        """The models, when the cursor rests."""
        at = self.trace.cursor
        for listed in self.query(OptionList):
            listed.clear_options()
        if not self.tokens or not self.app.models_are_here() or not self.studio.ours(self.card.take):
            return
        await asyncio.sleep(PAUSE)
        if at not in self.found:
            request = self.studio.request(self.studio.page)
            try:
                found = await asyncio.wrap_future(self.studio.scribe.look(request, tuple(self.tokens[:at])))
            except (Problem, OSError) as problem:
                self.app.complain(str(problem))
                return
            if found is None:
                return
            self.found[at] = found
        for listed, others in zip(self.query(OptionList), self.found[at], strict=False):  # none, if left meanwhile
            for number, other in enumerate(others):
                said = Content(line(other, self.tokens[at], listed.size.width))
                listed.add_option(Option(said, id=str(number), disabled=other.ends))

    @on(TraceText.Chosen)
    def chosen(self) -> None:
        self.go(None)

    @on(OptionList.OptionSelected)
    def selected(self, event: OptionList.OptionSelected) -> None:
        side = 0 if event.option_list.id == "base" else 1
        self.go(self.found[self.trace.cursor][side][int(event.option.id or 0)].token)

    def go(self, instead: Token | None) -> None:
        if self.tokens and self.app.ready():
            self.dismiss((self.trace.cursor, instead))

    @on(Slider.Changed)
    def turned(self, event: Slider.Changed) -> None:
        chosen = router(self.studio.steering.router)
        if chosen.limits:
            self.studio.steer(threshold=threshold_at(self.studio.setup.entry, chosen, event.value))
        self.tell()

    def action_knob(self, steps: int) -> None:
        self.slider.action_turn(steps)

    def action_part(self) -> None:
        if self.trace.parted is not None:
            self.trace.cursor = self.trace.parted

    def action_leave(self) -> None:
        self.dismiss(None)


def line(other: Alternative, written: Token, width: int) -> str:
    """An alternative with its probability; the one that was written is pointed at."""
    piece = "(end)" if other.ends else other.token.piece.replace("\n", "⏎").replace("\t", "⇥") or "(nothing yet)"
    this = other.token.id == written.id and other.token.speaker == written.speaker
    bar = "▪" * round(other.token.p * 10) if width > 40 else ""
    return f"{'▸' if this else ' '}{other.token.p:6.3f}  {piece:<18.18} {bar}"
