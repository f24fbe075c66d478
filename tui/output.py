"""Pages as files."""

from pathlib import Path

from baco_local import paths
from baco_local.errors import UsageProblem
from baco_local.library.exchange import FORMATS, written

from .desk import Page, Take
from .studio import Studio


def to_export(page: Page) -> list[Take]:
    """The starred takes of the page, wherever on their cards; where none is, what lies on top. Only what is written."""
    starred = [take for card in page.cards for take in card.takes if take.starred]
    return [take for take in starred or page.takes if take.done and take.id]


def exported(studio: Studio, path: Path) -> Path:
    """Writes them to a file. Raises UsageProblem for one that is there already, and for an unknown format."""
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise UsageProblem(f"{path}: {error}") from None
    form = path.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise UsageProblem(f"{path}: the name says the format: .{', .'.join(FORMATS)}")
    if studio.library is None or studio.page.node is None:
        raise UsageProblem("this page is not in the library, so it can't be exported; copy what you need with y")
    studio.books.settle()  # an edit has its place only then
    names = [take.id for take in to_export(studio.page)]
    library = studio.library
    ideas = [library.node(name) for name in names if name]
    text = written(library, library.node(studio.page.node), ideas, form)
    try:
        with open(path, "x", encoding="utf-8", newline="\n", opener=paths.private) as file:
            file.write(text)
    except FileExistsError:
        raise UsageProblem(f"{path} is there already; give another name") from None
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    return path.absolute()
