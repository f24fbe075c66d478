"""The prompt box: a small text editor that remembers earlier prompts (alt+up, alt+down)."""

from collections.abc import Callable, Sequence

from textual.binding import Binding
from textual.widgets import TextArea


class PromptBox(TextArea):
    """recall: gives the earlier prompts, newest first, when they are first asked for."""

    BINDINGS = [
        Binding("alt+up", "earlier(1)", "earlier prompt", show=False),
        Binding("alt+down", "earlier(-1)", "later prompt", show=False),
    ]
    DEFAULT_CSS = """
    PromptBox { height: auto; min-height: 3; max-height: 8; border: round $foreground 30%; padding: 0 1; background: $background; }
    PromptBox:focus { border: round $primary; }
    PromptBox.-plain, PromptBox.-plain:focus { border: none; min-height: 1; padding: 0; }
    """

    def __init__(self, recall: Callable[[], Sequence[str]], id: str | None = None) -> None:
        super().__init__(
            soft_wrap=True,
            highlight_cursor_line=False,
            placeholder="What should the ideas be about? ctrl+g writes them",
            id=id,
        )
        self.recall = recall
        self.earlier: Sequence[str] | None = None
        self.at = 0  # 0: what is being typed
        self.typed = ""

    def set_text(self, text: str) -> None:
        """As if typed: it can be undone, and the cursor is behind it."""
        if text != self.text:
            self.replace(text, (0, 0), self.document.end)
            self.move_cursor(self.document.end)

    def action_earlier(self, by: int) -> None:
        if self.at == 0:
            self.typed, self.earlier = self.text, None
        if self.earlier is None:
            self.earlier = list(dict.fromkeys(self.recall()))
        at = min(max(self.at + by, 0), len(self.earlier))
        if at != self.at:
            self.at = at
            self.set_text(self.earlier[at - 1] if at else self.typed)

    def forget_place(self) -> None:
        """The next alt+up gives the newest prompt again."""
        self.at = 0
