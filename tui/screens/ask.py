"""A question over the screen: yes or no, or a line of text."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from .answering import Answering


class Ask(Answering[bool], ModalScreen[bool]):
    """True for yes."""

    CSS_PATH = "ask.tcss"
    BINDINGS = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape", "answer(False)", "no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self.question))
            yield Static(Content("y yes   n no"), classes="hint")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class AskText(Answering[str | None], ModalScreen[str | None]):
    """The line, or None."""

    CSS_PATH = "ask.tcss"
    BINDINGS = [Binding("escape", "leave", "cancel")]

    def __init__(self, question: str, text: str) -> None:
        super().__init__()
        self.question, self.text = question, text

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self.question))
            yield Input(self.text, select_on_focus=False)
            yield Static(Content("enter writes it   esc cancels"), classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def action_leave(self) -> None:
        self.dismiss(None)
