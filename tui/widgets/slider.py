"""The knob: a line from aligned to base with a handle on it. Right is always more base, whatever the router's threshold does."""

from textual.app import RenderResult
from textual.binding import Binding
from textual.content import Content
from textual.events import Click, MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

LEFT, RIGHT = "aligned ◂", "▸ base"


class Slider(Widget, can_focus=True):
    """value: from 0 to 1. shown: what the value means, beside it. Disabled, it has no handle."""

    BINDINGS = [
        Binding("left,h,minus", "turn(-1)", "safer"),
        Binding("right,l,plus,equals_sign", "turn(1)", "wilder"),
        Binding("shift+left,pagedown", "turn(-5)", show=False),
        Binding("shift+right,pageup", "turn(5)", show=False),
        Binding("home", "turn(-100)", show=False),
        Binding("end", "turn(100)", show=False),
    ]
    COMPONENT_CLASSES = {"slider--track", "slider--passed", "slider--handle", "slider--label"}
    DEFAULT_CSS = """
    Slider { height: 1; width: 1fr; min-width: 30; }
    Slider .slider--track { color: $foreground 35%; }
    Slider .slider--passed { color: $base-word; }
    Slider .slider--handle { color: $base-word; text-style: bold; }
    Slider .slider--label { color: $foreground 70%; }
    Slider:focus .slider--handle { color: $background; background: $base-word; }
    """
    STEP = 0.02

    value: reactive[float] = reactive(0.0)
    shown: reactive[str] = reactive("")

    class Changed(Message):
        """The writer has turned it."""

        def __init__(self, slider: "Slider", value: float) -> None:
            super().__init__()
            self.slider, self.value = slider, value

        @property
        def control(self) -> "Slider":
            return self.slider

    @property
    def track(self) -> int:
        """Cells between the labels."""
        return max(3, self.size.width - len(LEFT) - len(RIGHT) - len(self.shown) - 1)

    def validate_value(self, value: float) -> float:
        return min(1.0, max(0.0, value))

    def render(self) -> RenderResult:
        style = self.get_visual_style
        at = round(self.value * (self.track - 1))
        if self.disabled:
            line = [("─" * self.track, style("slider--track"))]
        else:
            line = [
                ("━" * at, style("slider--passed")),
                ("●", style("slider--handle")),
                ("─" * (self.track - 1 - at), style("slider--track")),
            ]
        label = style("slider--label")
        return Content.assemble((LEFT, label), *line, (RIGHT, label), " ", self.shown)

    def action_turn(self, steps: int) -> None:
        """By steps of a fiftieth of the way."""
        self.turn_to(round(self.value / self.STEP + steps) * self.STEP)

    def turn_to(self, value: float) -> None:
        before, self.value = self.value, value
        if self.value != before and not self.disabled:
            self.post_message(self.Changed(self, self.value))

    def on_mouse_down(self, event: MouseDown) -> None:
        self.capture_mouse()
        self._turn_to_mouse(event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._turn_to_mouse(event.x)

    def on_mouse_up(self, event: MouseUp) -> None:
        self.release_mouse()

    def on_click(self, event: Click) -> None:
        event.stop()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_turn(1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_turn(-1)

    def _turn_to_mouse(self, x: int) -> None:
        if not self.disabled:
            self.turn_to((x - len(LEFT)) / max(1, self.track - 1))
