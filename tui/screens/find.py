"""Finding again: earlier prompts, those with starred ideas, and a search in all that was written."""

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList
from textual.widgets.option_list import Option

from baco_local.errors import Problem
from baco_local.library import Entry, Hit, Library, Node
from baco_local.library.nodes import MARK, UNMARK

from .answering import Answering

MOST = 200


class FindScreen(Answering[Node | None], ModalScreen[Node | None]):
    """Gives a node: a prompt, or an idea whose page is wanted."""

    CSS_PATH = "find.tcss"
    BINDINGS = [
        Binding("escape", "leave", "back"),
        Binding("ctrl+s,f8", "starred", "only starred"),
        Binding("down", "to_list", show=False),
    ]

    class Found(Message):
        """What a search gave, or what to say instead."""

        def __init__(self, text: str, lines: list[tuple[Node, Content]], nothing: str) -> None:
            super().__init__()
            self.text, self.lines, self.nothing = text, lines, nothing

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library
        self.starred = False
        self.nodes: list[Node] = []
        self.searched = ""  # what they were found for
        self.hurried = False  # enter was pressed before they were

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(placeholder="words to search for; empty: earlier prompts, newest first", id="words")
            yield OptionList(id="found", markup=False)
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self.search("")

    @on(Input.Changed)
    def typed(self) -> None:
        self.search(self.text)

    @property
    def text(self) -> str:
        return self.query_one(Input).value.strip()

    @work(exclusive=True, thread=True)
    def search(self, text: str) -> None:
        """In a thread: a large library takes a moment."""
        found: list[Entry] | list[Hit] = []
        try:
            if text:
                found = self.library.search(text, limit=MOST, starred=self.starred)
            else:
                found = self.library.history(limit=MOST, starred=self.starred)
            self.post_message(self.Found(text, [(one.node, line(one)) for one in found], "nothing found"))
        except Problem as problem:
            self.post_message(self.Found(text, [], str(problem)))

    @on(Found)
    def found(self, event: Found) -> None:
        if event.text != self.text:
            return
        self.nodes, self.searched = [node for node, _ in event.lines], event.text
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options([Option(said) for _, said in event.lines] or [Option(Content(event.nothing), disabled=True)])
        listed.border_title = "starred" if self.starred else "everything"
        if self.nodes:
            listed.highlighted = 0
            if self.hurried:
                self.dismiss(self.nodes[0])
        self.hurried = False

    @on(Input.Submitted)
    def submitted(self) -> None:
        listed = self.query_one(OptionList)
        if self.searched != self.text:
            self.hurried = True
        elif self.nodes and listed.highlighted is not None:
            self.dismiss(self.nodes[listed.highlighted])

    @on(OptionList.OptionSelected)
    def selected(self, event: OptionList.OptionSelected) -> None:
        if self.nodes:
            self.dismiss(self.nodes[event.option_index])

    def action_starred(self) -> None:
        self.starred = not self.starred
        self.search(self.text)

    def action_to_list(self) -> None:
        self.query_one(OptionList).focus()

    def action_leave(self) -> None:
        self.dismiss(None)


def line(found: Entry | Hit) -> Content:
    if isinstance(found, Entry):
        star = f"  ★ {found.starred}" if found.starred else ""
        text = " ".join(found.node.text.split())
        return Content.assemble(
            (f"{found.node.created:%d %b %H:%M}  ", "dim"), text[:200], (f"  {found.ideas} ideas{star}", "dim")
        )
    parts: list[tuple[str, str]] = [("★ " if found.node.starred else "  ", "$warning")]
    for at, part in enumerate(" ".join(found.excerpt.split()).replace(UNMARK, MARK).split(MARK)):
        parts.append((part, "bold" if at % 2 else ""))
    return Content.assemble(*parts)
