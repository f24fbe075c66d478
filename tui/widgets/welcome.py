"""What an empty desk says: how to begin, and what was last written."""

from textual.content import Content
from textual.widgets import Static

from baco_local.library import Entry


class Welcome(Static):
    DEFAULT_CSS = """
    Welcome { height: 1fr; content-align: center middle; color: $foreground 70%; text-align: center; padding: 1 4; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def tell(self, last: Entry | None) -> None:
        lines = ["Type what the ideas should be about, and press ctrl+g.", "F1 says what every key does."]
        content = Content("\n".join(lines))
        if last:
            prompt = " ".join(last.node.text.split())
            prompt = prompt if len(prompt) <= 60 else prompt[:59] + "…"
            starred = f", {last.starred} starred" if last.starred else ""
            content = Content.assemble(
                content, "\n\nLast time: ", (prompt, "bold"), f" ({last.ideas} ideas{starred})\n",
                "alt+up brings the prompt back, F2 the page.",
            )  # fmt: skip
        self.update(content)
