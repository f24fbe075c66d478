"""Reads where a model file comes from: `file:`, `hf:` or `pypi:`."""

import re
from pathlib import Path

from baco_local.catalog.entries import Source
from baco_local.errors import UsageProblem
from baco_local.text import clean

FORMS = "file:PATH, hf:OWNER/REPO/FILE@REVISION or pypi:PACKAGE==VERSION#FILE"


def read_source(path: Path, where: str, text: str) -> Source:
    """`path` and `where`: the file and table it stands in. Raises UsageProblem for another form."""
    kind, _, rest = text.partition(":")
    if not text.isprintable():
        raise UsageProblem(f"{path}: {where}: source {clean(text)!r} has characters that no name has")
    if kind == "file" and rest and "\0" not in rest:
        given = Path(rest)
        if ".." in given.parts:
            raise UsageProblem(f"{path}: {where}: source {text!r} climbs out of the folder; give the whole path")
        try:
            return Source("file", str((path.parent / given.expanduser()).absolute()))
        except RuntimeError as error:
            raise UsageProblem(f"{path}: {where}: source {text!r}: {error}") from None
    if kind == "pypi" and (found := re.fullmatch(r"([A-Za-z0-9][\w.-]*)==([\w.+!-]+)(?:#(\S+))?", rest)):
        return Source("pypi", found[1], found[2], found[3] or "")
    if kind == "hf" and (found := re.fullmatch(r"([\w.-]+/[\w.-]+)/([^@\s]+)(?:@(\S+))?", rest)):
        if any(part in ("", ".", "..") for part in [*found[1].split("/"), *found[2].split("/")]):
            raise UsageProblem(f"{path}: {where}: source {text!r} climbs out of its repository")
        if re.search(r"-\d{5}-of-\d{5}\.gguf$", found[2]):
            raise UsageProblem(
                f"{path}: {where}: source {text!r} is one of several parts, which can't be pulled; give a whole file"
            )
        return Source("hf", found[1], found[3] or "main", found[2])
    raise UsageProblem(f"{path}: {where}: source {text!r} is not of the form {FORMS}")
