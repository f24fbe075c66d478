"""Changes the user's models.toml and leaves everything else in it as it is, comments included."""

from collections.abc import Callable
from typing import Any

from baco_local import paths
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.catalog.reading import parsed, user_file
from baco_local.errors import UsageProblem
from baco_local.text import one_line


def edit(change: Callable[[Any], None]) -> None:
    """`change` gets the document (tomlkit's). Raises UsageProblem where the file can't be read or written, or would
    not be a catalogue afterwards."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = user_file().resolve()  # the file itself, where a link leads to it
    try:
        document = tomlkit.parse(path.read_bytes().decode() if path.exists() else "")
        change(document)
        after = tomlkit.dumps(document)
        parsed(path, after)
        paths.made("config")
        paths.write_atomically(path, after.encode())
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path}: can't be added to: {one_line(str(error))}") from None


def add(pair: PairEntry) -> None:
    """Puts the pair into the user's catalogue, in place of one of that name."""
    import tomlkit

    table = tomlkit.table()
    for key, value in (("title", pair.title), ("for", pair.whom), ("licence", pair.licence)):
        if value or key != "for":
            table[key] = value
    if pair.shared is not None:
        table["shared_vocabulary"] = pair.shared
    table["base"] = side(pair.base)
    if pair.aligned:
        table["aligned"] = side(pair.aligned)
    elif pair.lora:
        table["aligned"] = side(pair.lora, "lora")
    else:
        table["aligned"] = tomlkit.table()
        table["aligned"]["same"] = True

    def change(document: Any) -> None:
        if "pairs" not in document:
            document.add("pairs", tomlkit.table(is_super_table=True))
        document["pairs"][pair.name] = table

    edit(change)


def remove(name: str) -> None:
    """Takes the pair out of the user's catalogue; its files stay."""

    def change(document: Any) -> None:
        del document["pairs"][name]

    edit(change)


def side(file: ModelFile, key: str = "source") -> Any:
    import tomlkit

    table = tomlkit.table()
    sources = [str(source) for source in file.sources]
    table[key] = sources[0] if len(sources) == 1 else sources
    if file.size:
        table["size"] = file.size
    if file.sha256:
        table["sha256"] = file.sha256
    return table
