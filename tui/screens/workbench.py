"""The workbench: the prompt, the knob, and the cards on which ideas grow."""

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widgets import Footer, TextArea

from baco_local.collaboration.routers import router
from baco_local.errors import UsageProblem
from baco_local.knob import threshold_at
from baco_local.library import Node

from ..desk import Card, done
from ..keys import ACTS, WHILE_TYPING
from ..studio import Studio
from ..widgets.controls import Controls
from ..widgets.grid import CardGrid
from ..widgets.prompt import PromptBox
from ..widgets.slider import Slider
from ..widgets.status import StatusLine
from ..widgets.welcome import Welcome
from .choosing import Choosing

OFTEN = 0.25  # seconds between two looks at what was written
ON_A_CARD = set("star reject reroll other_way branch words edit editor copy compare turn".split())
ON_A_PAGE = set("reroll_unstarred all_other_way more export".split())


class Workbench(Choosing):
    CSS_PATH = "workbench.tcss"
    BINDINGS = [*(act.binding for act in ACTS), *WHILE_TYPING]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    def __init__(self, studio: Studio, *, plain: bool) -> None:
        super().__init__(studio)
        self.plain = plain
        self.turns = 0  # looks at what was written
        self.works: tuple[bool, bool] | None = None  # is something written, are there cards? So keys work, or don't

    def compose(self) -> ComposeResult:
        yield PromptBox(self.app.earlier_prompts, id="prompt")
        yield Controls(self.studio, id="controls")
        yield CardGrid(self.studio.parting, plain=self.plain, underline=self.app.without_colours, id="grid")
        yield Welcome(id="welcome")
        yield StatusLine(plain=self.plain, id="status")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.prompt = self.query_one(PromptBox)
        self.grid = self.query_one(CardGrid)
        self.controls = self.query_one(Controls)
        self.status = self.query_one(StatusLine)
        self.prompt.set_class(self.plain, "-plain")
        self.prompt.focus()
        self.set_interval(OFTEN, self.pull)
        self.tell()
        self.query_one(Welcome).tell(self.app.last_session())

    # what is shown

    def tell(self) -> None:
        """Everything as the studio has it: another page, others cards, another draft."""
        studio = self.studio
        self.prompt.set_text(studio.draft.text)
        self.prompt.border_title = "the text to continue" if studio.draft.mode == "continue" else "what is wanted"
        self.controls.tell()
        super().tell()
        empty = not studio.page.cards
        self.grid.display, self.query_one(Welcome).display = not empty, empty
        self.tell_status()

    def tell_status(self) -> None:
        scribe, flow = self.studio.scribe, self.studio.flow
        state = scribe.job.state if scribe.job else "over"
        self.status.tell(self.studio.page.takes, flow.pace, state, self.studio.setup.max_tokens)
        works = scribe.writing, bool(self.studio.page.cards)
        if works != self.works:  # the footer is made anew by it, which takes longer than all else here
            self.works = works
            self.refresh_bindings()

    def pull(self) -> None:
        """What was written since the last time comes onto the cards."""
        flow, busy = self.studio.flow, self.studio.scribe.writing
        changed = flow.pull()
        if changed and (self.grid.cards != self.studio.page.cards or not self.studio.scribe.writing):
            self.tell()  # what has not begun when a job ends leaves the page
        elif changed:
            self.grid.changed(changed)
        self.turns += 1
        stale = self.works is not None and self.works[0] != self.studio.scribe.writing
        if stale or ((changed or busy) and (self.turns % 2 or not self.studio.scribe.writing)):
            self.tell_status()
        while flow.problems:
            self.app.complain(flow.problems.popleft())

    # what is done

    def write(self, act: Any, *arguments: Any) -> bool:
        """The same where a pair is needed for it."""
        return self.app.ready() and self.do(act, *arguments)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ON_A_CARD:
            return True if self.grid_card else None
        if action in ON_A_PAGE:
            return True if self.studio.page.cards else None
        return True

    @property
    def grid_card(self) -> Card | None:
        return self.grid.card if self.is_mounted and hasattr(self, "grid") else None

    @on(TextArea.Changed, "#prompt")
    def typed(self) -> None:
        if self.prompt.text != self.studio.draft.text:
            self.studio.type(self.prompt.text)
            self.app.expect_writing()

    @on(Slider.Changed)
    def turned(self, event: Slider.Changed) -> None:
        chosen = router(self.studio.steering.router)
        if chosen.limits:  # it may have been changed since
            self.steer(threshold=threshold_at(self.studio.setup.entry, chosen, event.value))

    @on(Controls.Steered)
    def steered(self, event: Controls.Steered) -> None:
        self.steer(**event.changes)

    def steer(self, **changes: Any) -> None:
        try:
            self.studio.steer(**changes)
        except UsageProblem as problem:
            self.app.say(str(problem))
        self.controls.tell()
        self.grid.redraw()

    def action_write(self) -> None:
        self.prompt.forget_place()
        if self.write(self.studio.write):
            self.grid.focus()

    def action_stop(self) -> None:
        if self.studio.scribe.writing:
            self.do(self.studio.stop)
        elif self.focused is self.grid or not self.studio.page.cards:
            self.prompt.focus()
        else:
            self.grid.focus()

    def action_star(self) -> None:
        self.on_card(self.studio.star)

    def action_reject(self) -> None:
        self.on_card(self.studio.reject)

    def action_reroll(self) -> None:
        if self.grid.card:
            self.write(self.studio.reroll, [self.grid.card])

    def action_reroll_unstarred(self) -> None:
        self.write(self.studio.reroll_unstarred)

    def action_other_way(self) -> None:
        if self.grid.card:
            self.write(self.studio.go_other_way, [self.grid.card])

    def action_all_other_way(self) -> None:
        self.write(self.studio.go_other_way, self.studio.page.cards)

    def action_more(self) -> None:
        self.write(self.studio.more)

    def action_branch(self) -> None:
        self.on_card(self.studio.branch)
        self.prompt.focus()

    def action_words(self) -> None:
        self.on_card(lambda card: self.app.show_words(done(card)))

    @on(CardGrid.Opened)
    def opened(self) -> None:
        self.action_words()

    def action_undo(self) -> None:
        self.do(self.again, self.studio.deeds.undo, "undone")

    def action_redo(self) -> None:
        self.do(self.again, self.studio.deeds.redo, "done again")

    def again(self, act: Any, word: str) -> None:
        label = act()
        self.app.say(f"{word}: {label}" if label else "nothing is left")

    def action_turn(self, by: int) -> None:
        if self.grid.card and self.grid.card.turn(by):
            self.tell()

    def action_next(self) -> None:
        self.grid.go_to((self.grid.current + 1) % max(1, len(self.grid.cards)))

    def action_knob(self, steps: int) -> None:
        self.controls.slider.action_turn(steps)

    def action_marks(self) -> None:
        self.grid.marks = not self.grid.marks

    def action_mode(self) -> None:
        self.studio.change_mode()
        self.tell()

    def action_prompt(self) -> None:
        self.prompt.focus()

    def open(self, node: Node) -> None:
        """The page that a node of the library is on, with its card in front."""
        library = self.studio.library
        if library is None:
            return
        if self.do(lambda: self.studio.open(library.prompt_of(node))):
            at = self.studio.page.find(node.id)
            self.tell()
            self.grid.go_to(at)
            self.grid.focus()

    def action_find(self) -> None:
        self.app.find()

    def action_pairs(self) -> None:
        self.app.choose_pair()
