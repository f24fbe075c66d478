"""The status line: how far it is, how fast, and how different what lies on the desk is."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from baco_local.lab.lexical import distinct

from ..desk import Take, base_share
from ..flow import Pace

BUSY = "⠋⠙⠹⠸⠼⠴⠦⠧"


class StatusLine(Static):
    """Words only, so that it reads aloud; a spinner before them, unless plain."""

    DEFAULT_CSS = "StatusLine { height: 1; color: $foreground 75%; padding: 0 1; }"

    def __init__(self, *, plain: bool, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.plain = plain
        self.turns = 0
        self.said: str | None = None

    def tell(self, takes: Sequence[Take], pace: Pace, state: str, expected: int) -> None:
        """state: of the running job; expected: the most tokens that a variant may have."""
        parts = progress(takes, pace, state, expected)
        if state in ("loading", "writing") and not self.plain:
            self.turns += 1
            parts = [f"{BUSY[self.turns % len(BUSY)]} {parts[0]}", *parts[1:]] if parts else []
        said = " · ".join(parts)
        if said != self.said:
            self.said = said
            self.update(Content(said), layout=False)


def progress(takes: Sequence[Take], pace: Pace, state: str, expected: int) -> list[str]:
    if state in ("waiting", "loading"):
        return ["loading the models"]
    if not takes:
        return []
    done = sum(take.done for take in takes)
    parts = [f"{done} of {len(takes)} done"]
    if pace.rate:
        parts.append(f"{pace.rate:.0f} tok/s")
        if state == "writing":
            parts.append(f"{max(1.0, left(takes, pace, expected)):.0f} s left")
    share = base_share(takes)
    if share is not None:
        parts.append(f"{share:.0%} by base")
    different = distinct((take.text for take in takes if not take.rejected), 2)
    if different is not None and len(takes) > 1:
        parts.append(f"distinct {different:.2f}")
    if pace.tokens:
        parts.append(f"{pace.tokens:,} tokens")
    return parts


def left(takes: Sequence[Take], pace: Pace, expected: int) -> float:
    """Seconds, if the others become about as long as those that are done. One that is longer already is expected half-way
    between what it is and the most it may be."""
    lengths = [len(take.tokens or ()) for take in takes if take.done and take.job]
    typical = sum(lengths) / len(lengths) if lengths else expected
    missing = 0.0
    for length in (len(take.tokens or ()) for take in takes if not take.done):
        missing += typical - length if length < typical else max(1.0, (expected - length) / 2)
    return missing / pace.rate
