"""Pages as files."""

import json
from pathlib import Path

from baco_local.errors import UsageProblem
from baco_local.library import Library
from baco_local.library.exchange import WRITERS

from .studio import Studio

FORMATS = (*WRITERS, "jsonl")


def exported(studio: Studio, path: Path) -> Path:
    """Writes the starred ideas of the page, or all where none is; as they lie on top. Raises UsageProblem for a file that is
    there already, and for an unknown format."""
    path = path.expanduser()
    form = path.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise UsageProblem(f"{path}: the name says the format: .{', .'.join(FORMATS)}")
    if studio.library is None or studio.page.node is None:
        raise UsageProblem("this page is not in the library, so it can't be exported; copy what you need with y")
    takes = [take for take in studio.page.takes if take.starred] or studio.page.takes
    names = [take.id for take in takes if take.done and take.id]
    text = written(studio.library, studio.page.node, [name for name in names if name], form)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageProblem(f"{path} is there already; give another name") from None
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    return path.absolute()


def written(library: Library, prompt: str, names: list[str], form: str) -> str:
    nodes = [library.node(name) for name in names]
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in library.export(nodes))
    return WRITERS[form](library.node(prompt), nodes)
