"""Editing a text where it stands: a box over its card. Leaving it keeps what was typed."""

from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.widgets import TextArea

from ..desk import Card


class EditBox(TextArea):
    BINDINGS = [Binding("escape,ctrl+g,f5", "keep", "keep the edit", priority=True)]
    DEFAULT_CSS = """
    EditBox { layer: above; position: absolute; border: heavy $accent; padding: 0; background: $surface; }
    """

    class Done(Message):
        """left: by a key of the box, so that the cards have the keys again."""

        def __init__(self, box: "EditBox", left: bool) -> None:
            super().__init__()
            self.box, self.left = box, left

    def __init__(self, card: Card, region: Region) -> None:
        super().__init__(card.take.text, soft_wrap=True, compact=True, highlight_cursor_line=False)
        self.card, self.take = card, card.take  # which may lie below others when the writer is done
        self.over = False
        self.border_title, self.border_subtitle = "edit", "esc keeps"
        self.styles.offset = region.offset
        self.styles.width, self.styles.height = region.width, max(5, region.height)

    def on_mount(self) -> None:
        self.move_cursor(self.document.end)
        self.focus()

    def action_keep(self) -> None:
        self.leave(focus=True)

    def on_blur(self) -> None:
        self.leave(focus=False)

    def leave(self, *, focus: bool) -> None:
        """Once."""
        if not self.over:
            self.over = True
            self.post_message(self.Done(self, focus))
            self.remove()
