"""A pair of files that were named on the spot, as an entry like those of the catalogue."""

import os
from pathlib import Path

from baco_local.catalog.entries import GIVEN, ModelFile, PairEntry, Source
from baco_local.errors import UsageProblem


def given_entry(
    base: str | Path | None = None,
    aligned: str | Path | None = None,
    lora: str | Path | None = None,
    same: str | Path | None = None,
) -> PairEntry | None:
    """None where no file is given. Raises UsageProblem for files that make no pair."""
    given = {"base": base, "aligned": aligned, "lora": lora, "same": same}
    files = {kind: file_at(path) for kind, path in given.items() if path is not None}
    if not files:
        return None
    kinds = set(files)
    if kinds == {"same"}:
        one = files["same"]
        return PairEntry(one.path.stem, f"{one.file} as both", "", one, None, GIVEN)
    if kinds not in ({"base", "aligned"}, {"base", "lora"}):
        raise UsageProblem(
            "a pair needs two files: give both --base and --aligned, or --base and --lora (an adapter over it), "
            "or --same (one file as both)"
        )
    first, second = files["base"], files.get("aligned") or files["lora"]
    return PairEntry(
        name=f"{first.path.stem}+{second.path.stem}",
        title=f"{first.file} with {second.file}",
        licence="",
        base=first,
        aligned=files.get("aligned"),
        lora=files.get("lora"),
        origin=GIVEN,
    )


def file_at(path: str | Path) -> ModelFile:
    try:
        whole = Path(os.path.abspath(Path(path).expanduser()))
    except RuntimeError as error:
        raise UsageProblem(f"{path}: {error}") from None
    return ModelFile((Source("file", str(whole)),), whole.name)
