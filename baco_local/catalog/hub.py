"""Models on the Hugging Face hub, fetched with its own library: its mirrors, tokens and cache settings apply."""

import threading
from collections.abc import Callable
from pathlib import Path

from baco_local.catalog.entries import Source
from baco_local.catalog.packages import INTERVAL, size_of
from baco_local.errors import ModelProblem
from baco_local.text import one_line


def fetch(source: Source, folder: Path, arrived: Callable[[int], None]) -> Path:
    """The file, in `folder`; an interrupted download is resumed. `arrived` gets bytes so far."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    target = folder / "hub"
    result: list[str] = []
    problems: list[Exception] = []

    def download() -> None:
        try:
            result.append(hf_hub_download(source.place, source.member, revision=source.version, local_dir=target))
        except Exception as error:
            problems.append(error)

    worker = threading.Thread(target=download, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(INTERVAL)
        arrived(size_of(target))
    if problems:
        raise ModelProblem(complaint(source, problems[0])) from None
    return Path(result[0])


def complaint(source: Source, error: Exception) -> str:
    from huggingface_hub import errors

    name = f"{source.place}/{source.member}"
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{name}: accept its licence at huggingface.co/{source.place}, log in with `hf auth login`, then pull again"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{name}: the hub has no such repository, or it needs a login (`hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError | errors.EntryNotFoundError):
        return f"{name}: the hub has no such file at revision {source.version}; the entry in models.toml is wrong"
    return f"{name}: the hub did not deliver it: {one_line(str(error))}\ncheck the network, then pull again"
