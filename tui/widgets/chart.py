"""What the router saw, word by word: how unsure base was, and the threshold as a line through it. Above it base speaks (with `nudging`, below it)."""

from collections.abc import Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from baco_local.collaboration.routers import router
from baco_local.collaboration.settings import Steering
from baco_local.collaboration.variant import Token
from baco_local.native import layout as L

BLOCKS = " ▁▂▃▄▅▆▇█"
LINE = "╌"
HIGHEST = 6.0  # nats at the top of the chart


def heights(tokens: Sequence[Token], steering: Steering) -> tuple[list[float | None], float | None]:
    """For every token how unsure base was there, in [0, 1], None between routing points; and the threshold on that scale."""
    chosen = router(steering.router)
    by_entropy = chosen.rule == L.H
    found: list[float | None] = []
    for token in tokens:
        if token.base_top_p is None or token.base_entropy is None:
            found.append(None)
        else:
            found.append(min(1.0, token.base_entropy / HIGHEST) if by_entropy else 1 - token.base_top_p)
    if steering.threshold is None or chosen.rule == L.RAND:
        return found, None
    return found, min(1.0, steering.threshold / HIGHEST) if by_entropy else 1 - steering.threshold


class Chart(Widget):
    """A column for each routed word; the cursor's is marked below."""

    COMPONENT_CLASSES = {"chart--base", "chart--aligned", "chart--line", "chart--cursor"}
    DEFAULT_CSS = """
    Chart { height: 6; padding: 0 1; }
    Chart .chart--base { color: $base-word; }
    Chart .chart--aligned { color: $foreground 45%; }
    Chart .chart--line { color: $accent; }
    Chart .chart--cursor { color: $accent; text-style: bold; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tokens: Sequence[Token] = ()
        self.steering = Steering()
        self.cursor = 0

    def tell(self, tokens: Sequence[Token], steering: Steering, cursor: int) -> None:
        self.tokens, self.steering, self.cursor = tokens, steering, cursor
        self.refresh()

    def render(self) -> RenderResult:
        rows, width = max(2, self.size.height - 1), max(1, self.size.width)
        found, threshold = heights(self.tokens, self.steering)
        places = [at for at, height in enumerate(found) if height is not None]
        at_cursor = max((n for n, at in enumerate(places) if at <= self.cursor), default=0)
        start = max(0, min(at_cursor - width // 2, len(places) - width))
        places = places[start : start + width]
        line = None if threshold is None else min(rows - 1, int(threshold * rows))
        lines = [self._row(row, rows, places, found, line, width) for row in reversed(range(rows))]
        pointer = Content(" " * max(0, at_cursor - start)) + Content.styled("▲", self.get_visual_style("chart--cursor"))
        return Content("\n").join([*lines, pointer])

    def _row(
        self, row: int, rows: int, places: list[int], found: Sequence[float | None], line: int | None, width: int
    ) -> Content:
        parts = []
        for at in places:
            eighths = round((found[at] or 0.0) * rows * 8) - row * 8
            block = BLOCKS[min(8, max(0, eighths))]
            name = "chart--base" if self.tokens[at].speaker == "base" else "chart--aligned"
            if block == " " and row == line:
                block, name = LINE, "chart--line"
            parts.append((block, self.get_visual_style(name)))
        if row == line:
            parts.append((LINE * (width - len(places)), self.get_visual_style("chart--line")))
        return Content.assemble(*parts)
