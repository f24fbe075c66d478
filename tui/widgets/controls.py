"""What ideas are written with: the knob, the router, how many, the temperature. In one row, or two where it is narrow."""

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from baco_local.collaboration.routers import ROUTERS, router
from baco_local.collaboration.settings import MAX_VARIANTS, Sampling
from baco_local.errors import UsageProblem
from baco_local.knob import diversity_at

from ..studio import Studio
from .slider import Slider


class Controls(Widget):
    DEFAULT_CSS = """
    Controls { layout: horizontal; }
    Controls Horizontal { width: auto; height: 1; }
    Controls Label { color: $foreground 60%; margin: 0 1 0 2; }
    Controls Select { width: 13; }
    Controls Input { width: 6; background: $surface; }
    Controls Input.-invalid { color: $error; }
    """

    class Steered(Message):
        """The router or the temperature was changed."""

        def __init__(self, **changes: Any) -> None:
            super().__init__()
            self.changes = changes

    def __init__(self, studio: Studio, id: str | None = None) -> None:
        super().__init__(id=id)
        self.studio = studio

    def compose(self) -> ComposeResult:
        self.slider = Slider(id="knob")
        self.router = Select(
            [(name, name) for name in ROUTERS],
            value=self.studio.steering.router,
            allow_blank=False,
            compact=True,
            id="router",
        )
        self.count = Input(str(self.studio.setup.n), type="integer", compact=True, max_length=3, id="count")
        self.temperature = Input(type="number", compact=True, max_length=5, id="temperature")
        yield self.slider
        with Horizontal():
            yield Label("router")
            yield self.router
            yield Label("ideas")
            yield self.count
            yield Label("temp")
            yield self.temperature

    def on_mount(self) -> None:
        self.tell()

    def tell(self) -> None:
        """As the studio has it."""
        steering = self.studio.steering
        chosen = router(steering.router)
        self.slider.disabled = chosen.limits is None
        if steering.base_share is not None:
            place, shown = steering.base_share, f"{steering.base_share:.0%}"
        elif steering.threshold is None:
            place, shown = 0.0, "no threshold"
        else:
            place = diversity_at(self.studio.setup.entry, chosen, steering.threshold)
            shown = f"{steering.threshold:.2f}" + (" nats" if chosen.name.startswith("h") else "")
        with self.prevent(Slider.Changed, Select.Changed, Input.Changed):
            self.slider.value, self.slider.shown = place, shown
            self.router.value = steering.router
            if not self.temperature.has_focus:
                self.temperature.value = f"{steering.sampling.temperature:g}"

    @on(Select.Changed, "#router")
    def chose(self, event: Select.Changed) -> None:
        if event.value != self.studio.steering.router:
            self.post_message(self.Steered(router=event.value))

    @on(Input.Changed, "#count")
    def counted(self, event: Input.Changed) -> None:
        n = int(event.value) if event.value.isdecimal() else 0
        good = 1 <= n <= MAX_VARIANTS
        self.count.set_class(not good, "-invalid")
        if good:
            self.studio.setup.n = n

    @on(Input.Changed, "#temperature")
    def warmed(self, event: Input.Changed) -> None:
        try:
            value = Sampling(temperature=float(event.value)).temperature
        except (ValueError, UsageProblem):  # no number, or out of range
            value = None
        self.temperature.set_class(value is None, "-invalid")
        if value is not None and value != self.studio.steering.sampling.temperature:
            self.post_message(self.Steered(temperature=value))
