"""A card as lines: the text of a take, wrapped, with who wrote which word, in a border that says the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip
from textual.style import Style

from ..desk import Card, Parting, Take

ROUND, HEAVY = "╭─╮│╰╯", "┏━┓┃┗┛"
STOPS = {"length": "cut", "cancelled": "stopped", "repetition": "repeats itself"}  # what a reader may wonder at


@dataclass(frozen=True, slots=True)
class Look:
    """Styles, and how much of them. marks: are base's words marked? underline: so that it shows without colours. plain: no
    borders and nothing that moves."""

    text: Style
    base: Style
    part: Style
    border: Style
    current: Style
    star: Style
    dim: Style
    marks: bool = True
    underline: bool = False
    plain: bool = False

    @property
    def frame(self) -> int:
        """Cells beside the text."""
        return 2 if self.plain else 4


def told(take: Take, look: Look, parted: Parting | None = None) -> Content:
    """The text with its marks."""
    runs: list[tuple[str, Style]] = []  # as few as there are: each costs as much as it is long
    styles = {"base": look.base, "aligned": look.text}
    if take.rejected:
        styles = dict.fromkeys(styles, look.dim)
    if look.underline:
        styles["base"] += Style(underline=True)
    if take.tokens and look.marks:
        for at, token in enumerate(take.tokens):
            piece, style = token.piece, styles[token.speaker]
            if parted and at == parted.at:
                word = piece.lstrip()
                runs.append((piece[: len(piece) - len(word)], style))
                piece, style = word or piece, look.part
            if runs and runs[-1][1] is style:
                runs[-1] = runs[-1][0] + piece, style
            else:
                runs.append((piece, style))
    else:
        runs.append((take.text, styles["aligned"]))
    skipped = len(take.text) - len(take.text.lstrip())
    content = Content.assemble(*runs, strip_control_codes=False)[skipped:]
    if not take.done and not look.plain:
        content = content.append(Content.styled("▌", look.dim))
    return content.expand_tabs(4)


def body(take: Take, width: int, look: Look, parted: Parting | None = None) -> list[Content]:
    """Its lines, at most `width` cells wide."""
    return told(take, look, parted).rstrip().wrap(max(4, width - look.frame))


def facts(card: Card) -> list[str]:
    """What is said of it, the most important first."""
    take = card.take
    found = []
    if take.rejected:
        found.append("rejected")
    if not take.done:
        found.append("writing" if take.tokens else "waits")
    elif take.kind == "edit":
        found.append("edited")
    elif take.stop in STOPS:
        found.append(STOPS[take.stop])
    if take.tokens:
        share = sum(token.speaker == "base" for token in take.tokens) / len(take.tokens)
        found.append(f"{share:.0%} base")
    if len(card.takes) > 1:
        found.append(f"take {card.at + 1} of {len(card.takes)}")
    return found


def strips(
    number: int,
    card: Card,
    lines: Sequence[Content],
    width: int,
    height: int,
    current: bool,
    look: Look,
    parted: Parting | None,
) -> list[Strip]:
    """The card, `height` strips of `width` cells. What doesn't fit is said; of one that is being written the end is shown."""
    take = card.take
    inner = height - 2
    cut = max(0, len(lines) - inner)
    shown = list(lines[cut:] if not take.done else lines[:inner])
    way = f"⇄ “{parted.word[:16]}”, word {parted.words + 1}" if parted else ""
    more = f"+{cut} lines" if cut and take.done else ""
    text_style = look.dim if take.rejected else look.text
    if look.plain:
        name = f"{'> ' if current else '  '}{number}. {'starred ' if take.starred else ''}"
        head = Strip([Segment(fitted(name + ", ".join(facts(card)), width), look.dim.rich_style)])
        foot = Strip([Segment(fitted("  " + ", ".join(filter(None, [way, more])), width), look.dim.rich_style)])
        edges = [Segment("  ", text_style.rich_style), Segment("")]
    else:
        border = look.current if current else look.border
        box = HEAVY if current else ROUND
        mark = " ★" if take.starred else " ✗" if take.rejected else ""
        head = edge(box[0], box[1], box[2], f"{number}{mark}", facts(card), width, border, look)
        foot = edge(box[4], box[1], box[5], more, [way] if way else [], width, border, look)
        edges = [Segment(box[3] + " ", border.rich_style), Segment(" " + box[3], border.rich_style)]
    room = width - look.frame if not look.plain else width - 2
    rows = []
    for line in shown:
        segments = line.render_segments(text_style)
        rest = room - sum(cell_len(segment.text) for segment in segments)
        rows.append(Strip([edges[0], *segments, Segment(" " * max(0, rest), text_style.rich_style), edges[1]]))
    blank = Strip([edges[0], Segment(" " * room, text_style.rich_style), edges[1]])
    rows += [blank] * (inner - len(rows))
    return [head, *rows, foot]


def edge(
    left: str, line: str, right: str, name: str, said: Sequence[str], width: int, border: Style, look: Look
) -> Strip:
    """A border with words in it; as many as fit."""
    words, room = "", width - 6 - cell_len(name)
    for word in said:
        longer = f"{words} · {word}" if words else word
        if cell_len(longer) + 2 > room:
            break
        words = longer
    begin = f" {name} " if name else ""
    end = f" {words} " if words else ""
    fill = line * max(0, width - 4 - cell_len(begin) - cell_len(end))
    name_style = look.star if "★" in name else border
    return Strip(
        [
            Segment(left + line, border.rich_style),
            Segment(begin, name_style.rich_style),
            Segment(fill, border.rich_style),
            Segment(end, look.dim.rich_style),
            Segment(line + right, border.rich_style),
        ]
    )


def fitted(text: str, width: int) -> str:
    return set_cell_size(text, width)
