"""Choosing the pair of models, and getting one that is not here: the first thing that a new desk shows."""

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Footer, OptionList, ProgressBar, Static
from textual.widgets.option_list import Option

from baco_local.catalog.entries import PairEntry
from baco_local.catalog.reading import read_catalog
from baco_local.checkup.describe import summary
from baco_local.checkup.engine import free_memory
from baco_local.errors import Problem
from baco_local.text import gigabytes

from ..pulling import Pulling
from .answering import Answering

FIRST = """\
Two models write every idea together, and these are not here yet. Choose a pair: enter gets it from its source, once, and checks
it. `starter` is small and quick, for a first look. After that nothing ever goes over the network.
"""
LATER = "The pair that writes. Those that are not here are pulled first."
OFTEN = 0.2  # seconds between two looks at a pull


class PairsScreen(Answering[PairEntry | None], ModalScreen[PairEntry | None]):
    """Gives the pair to write with. first: the one to write with is not here yet."""

    CSS_PATH = "pairs.tcss"
    BINDINGS = [Binding("escape", "leave", "back")]

    class Listed(Message):
        """What there is, with what to say of each."""

        def __init__(self, pairs: list[tuple[PairEntry, Content]], problem: str) -> None:
            super().__init__()
            self.pairs, self.problem = pairs, problem

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.entries: list[PairEntry] = []
        self.pulling: Pulling | None = None

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(" ".join((FIRST if self.first else LATER).split())))
            yield OptionList(id="list", markup=False)
            yield Static(id="said", markup=False)
            yield ProgressBar(id="bar", show_eta=True)
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(ProgressBar).display = False
        self.query_one("#said", Static).update(Content("looking at what is here"))
        self.set_interval(OFTEN, self.watch_pull)
        self.list_pairs()

    @work(thread=True)
    def list_pairs(self) -> None:
        try:
            free = free_memory()
            pairs = [(entry, described(entry, free)) for entry in read_catalog().pairs.values()]
            self.post_message(self.Listed(pairs, ""))
        except Problem as problem:
            self.post_message(self.Listed([], str(problem)))

    @on(Listed)
    def listed(self, event: Listed) -> None:
        self.entries = [entry for entry, _ in event.pairs]
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options([Option(said) for _, said in event.pairs])
        ready = [at for at, entry in enumerate(self.entries) if entry.ready]
        listed.highlighted = ready[0] if ready else 0 if self.entries else None
        self.query_one("#said", Static).update(Content(event.problem))
        listed.focus()

    @on(OptionList.OptionSelected)
    def selected(self, event: OptionList.OptionSelected) -> None:
        entry = self.entries[event.option_index]
        if self.pulling:
            return
        if entry.ready:
            self.dismiss(entry)
        else:
            self.pulling = Pulling(entry)
            self.query_one(ProgressBar).display = True

    def watch_pull(self) -> None:
        pulling, said = self.pulling, self.query_one("#said", Static)
        if not pulling:
            return
        while pulling.lines:
            said.update(Content(pulling.lines.popleft()))
        if pulling.label:
            size = f"{pulling.done / 1e6:,.0f} of {pulling.total / 1e6:,.0f} MB" if pulling.total else ""
            said.update(Content(f"{pulling.label}  {size}   esc stops"))
            self.query_one(ProgressBar).update(total=pulling.total or None, progress=pulling.done)
        if pulling.over:
            self.pulling = None
            self.query_one(ProgressBar).display = False
            if pulling.problem is None:
                self.dismiss(read_catalog().pair(pulling.entry.name))
            else:
                said.update(Content(pulling.problem))

    def action_leave(self) -> None:
        if self.pulling:
            self.pulling.stop()
        else:
            self.dismiss(None)

    def on_unmount(self) -> None:
        if self.pulling:
            self.pulling.stop()


def described(entry: PairEntry, free: int | None) -> Content:
    """Two lines: whether it is here, and what it takes."""
    found = summary(entry)
    state = "here" if found["ready"] else found["problem"] or "to be pulled"
    facts = [found["title"]]
    if found["size"]:
        facts.append(f"{gigabytes(found['size'])} of files")
    if found["memory"]:
        needed = max(found["memory"].values())
        facts.append(f"memory {gigabytes(needed)}" + (", more than is free" if free and needed > free else ""))
    facts.append(found["licence"] + (" (to be accepted at the hub)" if found["gated"] else ""))
    whom = f", for {found['for']}" if found["for"] else ""
    return Content.assemble((entry.name, "bold"), f"  {state}{whom}\n", ("  " + "; ".join(facts), "dim"))
