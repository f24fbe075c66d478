"""A pair of the user's own: looked at, identified, and written into the user's catalogue."""

import dataclasses
from pathlib import Path

from baco_local.catalog import writing
from baco_local.catalog.checksums import checksum
from baco_local.catalog.entries import GIVEN, ModelFile, PairEntry
from baco_local.catalog.examine import Examined, demand_one_vocabulary, examine
from baco_local.catalog.given import file_at
from baco_local.catalog.reading import NAME, default_name, read_catalog, user_file
from baco_local.catalog.sources import read_source
from baco_local.errors import UsageProblem


def added(
    name: str,
    sides: dict[str, str | None],
    title: str | None = None,
    licence: str | None = None,
    whom: str = "",
    same_vocabulary: bool = False,
    replace: bool = False,
) -> tuple[PairEntry, list[str]]:
    """The entry as it stands now, and what to tell of it. sides: sources by `base`, `aligned`, `lora` and `same`."""
    if not NAME.fullmatch(name):
        raise UsageProblem(f"{name!r}: a name has letters, digits, dots, dashes and underscores only")
    if not replace and name in read_catalog().pairs:
        raise writing.taken(name)
    files = {side: file_from(source) for side, source in sides.items() if source}
    if set(files) not in ({"base", "aligned"}, {"base", "lora"}, {"same"}):
        raise UsageProblem("a pair is --base with --aligned, --base with --lora (an adapter over it), or --same")
    base = files.get("base") or files["same"]
    entry = PairEntry(
        name, title or name, licence or "not stated", base, files.get("aligned"), user_file(), files.get("lora"), whom
    )
    if not all(file.local for file in files.values()):
        if same_vocabulary:
            raise UsageProblem(
                "--same-vocabulary is for files that are here; pull the pair, then: baco-local models show"
            )
        writing.add(entry, replace)
        return entry, []
    examined = examine(dataclasses.replace(entry, origin=GIVEN))
    if same_vocabulary:
        demand_one_vocabulary(examined)
    entry = identified(entry, examined, title, licence)
    writing.add(entry, replace)
    split = [side for side, found in examined.sides.items() if found.parts > 1]
    notes = [f"{side} is made of several files, so a change in them will go unseen" for side in split]
    return entry, [*examined.warnings, *notes]


def file_from(given: str) -> ModelFile:
    """given: a path, or a source as models.toml writes it."""
    if not given.startswith(("hf:", "pypi:", "file:")):
        return file_at(given)
    found = read_source(Path.cwd() / "models.toml", "the command line", given)
    return ModelFile((found,), default_name(found))


def identified(entry: PairEntry, examined: Examined, title: str | None, licence: str | None) -> PairEntry:
    """With the names and licences that the files state, and what tells them from others: size and checksum."""
    named = examined.sides
    files = {
        side: dataclasses.replace(file, size=file.path.stat().st_size, sha256=checksum(file.path))
        if named[side].parts == 1
        else file
        for side, file in entry.files.items()
    }
    said = ", ".join(f"{side}: {found.licence}" for side, found in named.items())
    return dataclasses.replace(
        entry,
        title=title or " with ".join(found.name for found in named.values()) + (" as both" if entry.same else ""),
        licence=licence or said,
        shared=examined.shared,
        base=files["base"],
        aligned=files.get("aligned"),
        lora=files.get("lora"),
    )
