"""Every action of the desk with its keys: what the screens bind, the footer and the help show, and `[tui.keys]` changes.

Letters work where no text is typed, the other keys everywhere but for those that a text box has its own use for (enter, shift
with arrows, ctrl+z, and what it edits with).
"""

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Act:
    """name: in config.toml, and of the action. keys: as Textual writes them, with commas between. help: a line for the
    help screen. shown: in the footer."""

    name: str
    keys: str
    label: str
    help: str
    shown: bool = False
    argument: str = ""

    @property
    def binding(self) -> Binding:
        return Binding(self.keys, self.action, self.label, show=self.shown, id=self.name)

    @property
    def action(self) -> str:
        return self.argument or self.name


ACTS = (
    Act("write", "ctrl+g,f5", "write", "write ideas for the prompt; more of them if the prompt is the same", True),
    Act(
        "stop", "escape", "stop", "stop writing and keep what is there; else to the cards, or back to the prompt", True
    ),
    Act("star", "s,ctrl+s", "star", "keep this one: it survives rerolls", True),
    Act("reject", "x,ctrl+l", "reject", "pass over this one", True),
    Act("reroll", "r,ctrl+r", "reroll", "another take on this card; the one before stays below it", True),
    Act("reroll_unstarred", "R,f8", "reroll all", "another take on every card without a star"),
    Act("other_way", "f,f9", "other way", "write this on from where the knob would have sent it the other way", True),
    Act("all_other_way", "F,ctrl+f", "all other way", "the same for every card that would have gone the other way"),
    Act("more", "m", "more", "more ideas for the prompt of this page"),
    Act("branch", "b,ctrl+b", "branch", "this becomes the text to continue", True),
    Act("words", "t,f3,ctrl+t,enter", "words", "who wrote which word, and what else could have been written", True),
    Act("edit", "e", "edit", "edit this text in its card; escape keeps the edit"),
    Act("editor", "E", "editor", "edit it in $EDITOR"),
    Act("copy", "y", "copy", "copy this text"),
    Act("compare", "c", "compare", "hold this one; on a second one, see both side by side"),
    Act("undo", "u", "undo", "undo the last star, reroll, edit, branch, …"),
    Act("redo", "U", "redo", "do it again"),
    Act("older", "comma,shift+left", "older take", "the take below this one", argument="turn(-1)"),
    Act("newer", "full_stop,shift+right", "newer take", "the take above it", argument="turn(1)"),
    Act("next", "ctrl+n", "next", "the next card, also while typing"),
    Act("safer", "left_square_bracket", "safer", "turn the knob towards aligned", argument="knob(-1)"),
    Act("wilder", "right_square_bracket", "wilder", "turn the knob towards base", argument="knob(1)"),
    Act("much_safer", "left_curly_bracket", "much safer", "five steps towards aligned", argument="knob(-5)"),
    Act("much_wilder", "right_curly_bracket", "much wilder", "five steps towards base", argument="knob(5)"),
    Act("marks", "v", "marks", "show or hide which words are base's"),
    Act("mode", "f10", "task or text", "is the prompt a task, or text to carry on?"),
    Act("export", "w", "export", "write the starred ideas of this page, or all, to a file"),
    Act("find", "f2,slash,ctrl+o", "find", "earlier sessions, starred ideas, search", True),
    Act("pairs", "f4", "pairs", "choose the pair of models, or get one"),
    Act("prompt", "i", "prompt", "to the prompt box"),
)
# Text boxes have other uses for these; here they turn the knob.
WHILE_TYPING = (
    Binding("f6", "knob(-1)", "safer", show=False, priority=True),
    Binding("f7", "knob(1)", "wilder", show=False, priority=True),
)
EVERYWHERE = (
    Act("help", "f1,question_mark", "help", "what every key does", True),
    Act("quit", "ctrl+q", "quit", "leave the desk; everything is kept, also what is typed and not yet written", True),
    Act("suspend_process", "ctrl+z", "suspend", "back to the shell; `fg` comes back here"),
)
BY_NAME = {act.name: act for act in (*ACTS, *EVERYWHERE)}


def shown(keys: str) -> str:
    """As people write them."""
    names = {
        "comma": ",", "full_stop": ".", "slash": "/", "question_mark": "?", "left_square_bracket": "[",
        "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}", "escape": "esc",
    }  # fmt: skip
    return ", ".join(names.get(key, key) for key in keys.split(","))
