"""Two themes of the desk's own, beside Textual's: warm words are base's, whatever the theme."""

from textual.theme import Theme

DARK = Theme(
    name="baco-dark",
    primary="#7aa2c8",
    secondary="#9a8fb8",
    accent="#e0c080",
    warning="#e8b84b",
    error="#d0736b",
    success="#8fb573",
    foreground="#d9d6cf",
    background="#17181c",
    surface="#1d1f24",
    panel="#24262c",
    dark=True,
    variables={"base-word": "#e89b6c"},
)
LIGHT = Theme(
    name="baco-light",
    primary="#2f6591",
    secondary="#6b5b95",
    accent="#b07d1a",
    warning="#a86f00",
    error="#a83a32",
    success="#4d7a2a",
    foreground="#2b2a27",
    background="#faf6ee",
    surface="#f3eee2",
    panel="#e9e2d2",
    dark=False,
    variables={"base-word": "#b5501b"},
)
OWN = (DARK, LIGHT)


def defaults(dark: bool) -> dict[str, str]:
    """Variables of the desk that other themes don't set."""
    return dict((DARK if dark else LIGHT).variables)
