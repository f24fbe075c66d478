"""What files were when they were first pulled, kept in the user's catalogue so that a change does not go unseen."""

import datetime
import tomllib

from baco_local.catalog import writing
from baco_local.catalog.entries import ModelFile, Source
from baco_local.catalog.reading import user_file
from baco_local.errors import ModelProblem


def remember(source: Source, size: int, sha256: str) -> None:
    """Adds a pin to the user's catalogue. Raises UsageProblem where that is not possible."""
    writing.put("pins", str(source), {"size": size, "sha256": sha256, "pulled": datetime.date.today()})


def changed(file: ModelFile) -> ModelProblem:
    """Another file than the pinned one."""
    [source] = file.sources
    return ModelProblem(
        f"{file.file}: has changed at its source since it was first pulled{pulled(source)}, so it was not taken\n"
        f'to accept the new file, remove [pins."{source}"] from {user_file()}, then pull again'
    )


def pulled(source: Source) -> str:
    """The day of the first pull as ` on YYYY-MM-DD`, "" where the pin doesn't say."""
    try:
        return f" on {tomllib.loads(user_file().read_text(encoding='utf-8-sig'))['pins'][str(source)]['pulled']}"
    except (OSError, ValueError, KeyError):
        return ""
