"""The text of a variant, token by token, with a cursor on one: base's words are coloured and underlined."""

from collections.abc import Sequence

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from baco_local.collaboration.variant import Token


class TraceText(Static, can_focus=True):
    """cursor: index of a token. parted: where the variant would have gone the other way."""

    BINDINGS = [
        Binding("left", "move(-1)", "token", show=False),
        Binding("right", "move(1)", "token", show=False),
        Binding("up", "word(-1)", "word", show=False),
        Binding("down", "word(1)", "word", show=False),
        Binding("home", "jump(0)", show=False),
        Binding("end", "jump(-1)", show=False),
        Binding("enter", "choose", "write on from here"),
    ]
    COMPONENT_CLASSES = {"trace--base", "trace--aligned", "trace--part", "trace--cursor"}
    DEFAULT_CSS = """
    TraceText { height: auto; padding: 0 1; }
    TraceText .trace--base { color: $base-word; text-style: underline; }
    TraceText .trace--aligned { color: $foreground; }
    TraceText .trace--part { color: $background; background: $accent; text-style: bold; }
    TraceText .trace--cursor { color: $background; background: $foreground; text-style: bold; }
    """

    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor is elsewhere."""

    class Chosen(Message):
        """To be written on from the cursor."""

    def __init__(self, tokens: Sequence[Token], id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.tokens = tokens
        self.parted: int | None = None

    def on_mount(self) -> None:
        self.tell()

    def tell(self) -> None:
        style = self.get_visual_style
        parts = []
        for at, token in enumerate(self.tokens):
            kind = style(f"trace--{token.speaker}")
            if at == self.parted:
                kind = style("trace--part")
            if at == self.cursor:
                kind = style("trace--cursor")
            if at == self.cursor:
                parts.append((token.piece.replace("\n", "⏎\n") or "·", kind))
            else:
                parts.append((token.piece, kind))
        self.update(Content.assemble(*parts, strip_control_codes=False))

    def validate_cursor(self, at: int) -> int:
        return min(max(at, 0), max(0, len(self.tokens) - 1))

    def watch_cursor(self) -> None:
        if self.is_mounted:
            self.tell()
            self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_word(self, by: int) -> None:
        """To the next place where the router was asked, or the one before."""
        places = [at for at, token in enumerate(self.tokens) if token.routed]
        there = [at for at in places if (at > self.cursor if by > 0 else at < self.cursor)]
        if there:
            self.cursor = there[0] if by > 0 else there[-1]

    def action_jump(self, to: int) -> None:
        self.cursor = to % max(1, len(self.tokens))

    def action_choose(self) -> None:
        self.post_message(self.Chosen())
