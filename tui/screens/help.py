"""The help: what the desk is in a few lines, then every key."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ..keys import ACTS, EVERYWHERE, shown
from .answering import Answering

INTRO = """\
Type a prompt, press ctrl+g, and many ideas are written at once. Every idea is written by two models together: an aligned
one, which knows what was asked, and a base one, which surprises. The knob says how much base may say: left is safe, right
is wild. Turn it while they write, and they go on so; turn it afterwards, and every card shows where it would first have gone
the other way. Words by base are coloured.

Everything is kept as it is written. Rerolls and edits lie above what was there; comma and full stop turn between them.
"""
CLOSING = """\
Letters work where no text is typed; F6 and F7 turn the knob while typing, too. 1 to 9 and the arrows choose a card; digits
typed one after another are one number. ctrl+c copies what is selected; without a selection it quits, and asks first while
ideas are written.
"""


class HelpScreen(Answering[None], ModalScreen[None]):
    CSS_PATH = "help.tcss"
    BINDINGS = [Binding("escape,f1,question_mark,q", "dismiss_help", "close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            for paragraph in INTRO.split("\n\n"):
                yield Static(Content(" ".join(paragraph.split())), classes="said")
            for act in (*ACTS, *EVERYWHERE):
                keys = self.app.keys_of(act)  # type: ignore[attr-defined]
                yield Static(Content.assemble((f"{shown(keys):<22}", "bold $primary"), act.help), classes="key")
            yield Static(Content(" ".join(CLOSING.split())), classes="said")

    def action_dismiss_help(self) -> None:
        self.dismiss(None)
