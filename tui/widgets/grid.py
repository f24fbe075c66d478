"""All cards of a page in one widget that draws itself: a thousand of them cost what the visible ones cost."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual.binding import Binding
from textual.content import Content
from textual.events import Click, Key, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ..desk import Card, Parting, Take
from . import card as cards_
from .card import Look

NARROWEST, MOST = 38, 4  # cells of a column; columns
LEAST = 3  # lines of text on a card
STEP = 3  # a card that is being written grows by so many lines at a time: less often, and calmer to read
STYLES = ("text", "base", "part", "border", "current", "star", "dim")


@dataclass(slots=True)
class Row:
    """Cards beside one another. top, height: in lines of the whole."""

    first: int
    count: int
    top: int
    height: int


class CardGrid(ScrollView, can_focus=True):
    """current: index of the card that keys act on. parting: where a take would have gone the other way now."""

    BINDINGS = [
        Binding("left", "move(-1)", "previous", show=False),
        Binding("right", "move(1)", "next", show=False),
        Binding("up", "move_row(-1)", "up", show=False),
        Binding("down", "move_row(1)", "down", show=False),
        Binding("home", "jump(0)", show=False),
        Binding("end", "jump(-1)", show=False),
    ]
    COMPONENT_CLASSES = {f"grid--{name}" for name in STYLES}
    DEFAULT_CSS = """
    CardGrid { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    CardGrid .grid--text { color: $foreground; }
    CardGrid .grid--base { color: $base-word; }
    CardGrid .grid--part { color: $background; background: $accent; text-style: bold; }
    CardGrid .grid--border { color: $foreground 30%; }
    CardGrid .grid--current { color: $foreground 60%; }
    CardGrid:focus .grid--current { color: $primary; }
    CardGrid .grid--star { color: $warning; text-style: bold; }
    CardGrid .grid--dim { color: $foreground 55%; }
    """
    TOGETHER = 0.7  # seconds within which typed digits are one number

    current: reactive[int] = reactive(0)
    marks: reactive[bool] = reactive(True)

    class Opened(Message):
        """The current card was double-clicked."""

    def __init__(
        self, parting: Callable[[Take], Parting | None], *, plain: bool, underline: bool, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.parting, self.plain, self.underline = parting, plain, underline
        self.cards: list[Card] = []
        self._rows: list[Row] = []
        self._tops: list[int] = []
        self._columns = 1
        self._bodies: dict[Take, tuple[object, list[Content], Parting | None]] = {}
        self._drawn: dict[int, tuple[object, list[Strip]]] = {}
        self._typed, self._when = "", 0.0

    @property
    def card(self) -> Card | None:
        return self.cards[self.current] if self.current < len(self.cards) else None

    def show(self, cards: list[Card]) -> None:
        """These cards, as they are now; to be called when there are others, or others on top."""
        self.cards = list(cards)  # the page goes on, and says when
        on_top = {card.take for card in cards}
        self._bodies = {take: body for take, body in self._bodies.items() if take in on_top}
        if self.current >= len(cards):
            self.current = max(0, len(cards) - 1)
        self.redraw()

    def redraw(self) -> None:
        """Everything anew: the knob was turned, the size or the theme is another one."""
        self._drawn.clear()
        self._lay_out()
        self.refresh()

    def changed(self, takes: Iterable[Take]) -> None:
        """These takes have grown, or were marked."""
        changed = set(takes)
        places = [index for index, card in enumerate(self.cards) if card.take in changed]
        rows = {bisect_right([row.first for row in self._rows], index) - 1 for index in places}
        for at in sorted(rows):
            row = self._rows[at]
            if self._height(row.first, row.count) != row.height:
                self._lay_out()
                self.refresh()
                return
        for index in places:
            self._redraw_card(index)

    def _redraw_card(self, index: int) -> None:
        """Only the lines that are others now: a card that grows has one or two, and a terminal takes long to draw."""
        row, column = self._rows[index // self._columns], index % self._columns
        top = row.top - self.scroll_offset.y
        if top >= self.size.height or top + row.height <= 0:
            return
        before = self._drawn[index][1] if index in self._drawn else []
        after = self._strips(index, row.height)
        x = sum(self._width(one) for one in range(column))
        for y, strip in enumerate(after):
            if y >= len(before) or before[y] != strip:
                self.refresh(Region(x, top + y, self._width(column), 1))

    # moving

    def action_move(self, by: int) -> None:
        self.go_to(self.current + by)

    def action_move_row(self, by: int) -> None:
        target = self.current + by * self._columns
        if by > 0 and target >= len(self.cards) and self._rows and self.current < self._rows[-1].first:
            target = len(self.cards) - 1
        if 0 <= target < len(self.cards):
            self.go_to(target)

    def action_jump(self, to: int) -> None:
        self.go_to(to % max(1, len(self.cards)))

    def go_to(self, index: int) -> None:
        if self.cards:
            self.current = min(max(index, 0), len(self.cards) - 1)

    def key_number(self, digit: str, now: float) -> None:
        """Digits typed one after another are one number."""
        self._typed = self._typed + digit if now - self._when < self.TOGETHER else digit
        self._when = now
        if int(self._typed) > len(self.cards):
            self._typed = digit
        if 1 <= int(self._typed) <= len(self.cards):
            self.go_to(int(self._typed) - 1)

    def on_key(self, event: Key) -> None:
        if event.character and event.character in "0123456789":
            event.stop()
            self.key_number(event.character, event.time)

    def watch_current(self, before: int, now: int) -> None:
        for index in (before, now):
            if (row := self._row_of(index)) is not None:
                self._drawn.pop(index, None)
                self.refresh_lines(row.top, row.height)
        row = self._row_of(now)
        if row is not None:
            self.scroll_to_region(Region(0, row.top, 1, row.height), animate=False)

    def on_click(self, event: Click) -> None:
        found = self._card_at(event.x, event.y + self.scroll_offset.y)
        if found is not None:
            self.current = found
            if event.chain == 2:
                self.post_message(self.Opened())

    def watch_marks(self) -> None:
        self.redraw()

    def on_resize(self, event: Resize) -> None:
        self.redraw()

    # drawing

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        width = self.size.width
        at = bisect_right(self._tops, y) - 1
        if at < 0 or y >= self._rows[at].top + self._rows[at].height:
            return Strip.blank(width, self.rich_style)
        row = self._rows[at]
        parts = [self._strips(row.first + column, row.height)[y - row.top] for column in range(row.count)]
        return Strip.join(parts).adjust_cell_length(width, self.rich_style)

    def region_of_current(self) -> Region:
        """Of the current card, on the screen."""
        row, column = self._rows[self.current // self._columns], self.current % self._columns
        self.scroll_to_region(Region(0, row.top, 1, row.height), animate=False)
        x = sum(self._width(before) for before in range(column))
        here = Region(x, row.top - self.scroll_offset.y, self._width(column), row.height)
        return here.translate(self.content_region.offset)

    def look(self) -> Look:
        styles = {name: self.get_visual_style(f"grid--{name}") for name in STYLES}
        return Look(**styles, marks=self.marks, underline=self.underline, plain=self.plain)

    @property
    def _room(self) -> int:
        """Cells for the cards, beside the scrollbar."""
        return self.size.width - 1

    def _width(self, column: int) -> int:
        """Columns share the width; what is left over goes to the first ones."""
        each, over = divmod(self._room, self._columns)
        return each + (column < over)

    def _lay_out(self) -> None:
        width = self._room
        if width < 1:
            return
        self._columns = 1 if self.plain else min(MOST, max(1, width // NARROWEST), max(1, len(self.cards)))
        self._rows, top = [], 0
        for first in range(0, len(self.cards), self._columns):
            count = min(self._columns, len(self.cards) - first)
            height = self._height(first, count)
            self._rows.append(Row(first, count, top, height))
            top += height
        self._tops = [row.top for row in self._rows]
        self.virtual_size = Size(width, top)

    def _height(self, first: int, count: int) -> int:
        members = range(first, first + count)
        longest = max(self._lines(index) for index in members)
        if not all(self.cards[index].take.done for index in members):
            longest = LEAST + -(-max(0, longest - LEAST) // STEP) * STEP
        return min(max(longest, LEAST), max(LEAST, self.size.height - 2)) + 2

    def _lines(self, index: int) -> int:
        """How many lines its text takes; estimated where it is out of sight, on pages of many."""
        take = self.cards[index].take
        if take not in self._bodies and len(self.cards) > 100:
            inner = max(4, self._width(0) - 4)
            return sum(1 + len(line) * 21 // 20 // inner for line in take.text.strip().split("\n"))
        return len(self._body(index, self._parted(take))[0])

    def _parted(self, take: Take) -> Parting | None:
        return self.parting(take) if take.done else None

    def _body(self, index: int, parted: Parting | None) -> tuple[list[Content], Parting | None]:
        take, width = self.cards[index].take, self._width(index % self._columns)
        key = (take.version, take.done, width, parted, self.marks, self.app.theme)
        held = self._bodies.get(take)
        if held is None or held[0] != key:
            held = key, cards_.body(take, width, self.look(), parted), parted
            self._bodies[take] = held
        return held[1], held[2]

    def _strips(self, index: int, height: int) -> list[Strip]:
        card = self.cards[index]
        parted = self._parted(card.take)
        lines, _ = self._body(index, parted)
        current = index == self.current
        key = (
            card.take,
            card.take.version,
            card.at,
            len(card.takes),
            height,
            current,
            self.has_focus,
            parted,
            id(lines),
        )
        held = self._drawn.get(index)
        if held is None or held[0] != key:
            width = self._width(index % self._columns)
            held = key, cards_.strips(index + 1, card, lines, width, height, current, self.look(), parted)
            self._drawn[index] = held
        return held[1]

    def _row_of(self, index: int) -> Row | None:
        return self._rows[index // self._columns] if index // self._columns < len(self._rows) else None

    def _card_at(self, x: int, y: int) -> int | None:
        at = bisect_right(self._tops, y) - 1
        if at < 0 or y >= self._rows[at].top + self._rows[at].height:
            return None
        row, edge = self._rows[at], 0
        for column in range(row.count):
            edge += self._width(column)
            if x < edge:
                return row.first + column
        return None
