"""Editing a text where it stands: a box over its card. Leaving it keeps what was typed."""

from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.widgets import TextArea

from ..desk import Card, Take


class EditBox(TextArea):
    BINDINGS = [Binding("escape,ctrl+g,f5", "keep", "keep the edit", priority=True)]
    DEFAULT_CSS = """
    EditBox { layer: above; position: absolute; border: heavy $accent; padding: 0; background: $surface; }
    """

    class Done(Message):
        def __init__(self, card: Card, take: Take, text: str) -> None:
            super().__init__()
            self.card, self.take, self.text = card, take, text

    def __init__(self, card: Card, region: Region) -> None:
        super().__init__(card.take.text, soft_wrap=True, compact=True, highlight_cursor_line=False)
        self.card, self.take = card, card.take  # which may lie below others when the writer is done
        self.border_title, self.border_subtitle = "edit", "esc keeps"
        self.styles.offset = region.offset
        self.styles.width, self.styles.height = region.width, max(5, region.height)

    def on_mount(self) -> None:
        self.move_cursor(self.document.end)
        self.focus()

    def action_keep(self) -> None:
        self.post_message(self.Done(self.card, self.take, self.text))
        self.remove()
