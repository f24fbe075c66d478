"""Changes the user's models.toml and leaves everything else in it as it is, comments included."""

import tomllib
from typing import Any

from baco_local import paths
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.catalog.reading import parsed, user_file
from baco_local.errors import UsageProblem
from baco_local.text import one_line


def put(section: str, key: str, value: dict[str, Any] | None) -> None:
    """Sets [section.key], or removes it where `value` is None. Raises UsageProblem where the file can't be read or
    written, or would not be what is wanted afterwards."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = user_file().resolve()  # the file itself, where a link leads to it
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        document = tomlkit.parse(before)
        if section not in document:
            document.add(section, tomlkit.table(is_super_table=True))
        elif value is not None and list(document)[-1] != section:
            document.add(tomlkit.nl())
        tables: Any = document[section]
        wanted = tomllib.loads(before)
        wanted.setdefault(section, {})
        if value is None:
            del tables[key], wanted[section][key]
        else:
            tables[key] = tomlkit.item(value)
            wanted[section][key] = value
        after = tomlkit.dumps(document)
        if tomllib.loads(after) != wanted:
            raise UsageProblem(
                f"{path}: its tables are in a form that can't be added to; add [{section}.{key}] by hand"
            )
        parsed(path, after)
        paths.made("config")
        paths.write_atomically(path, after.encode())
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    except (TOMLKitError, ValueError) as error:
        raise UsageProblem(f"{path}: can't be added to: {one_line(str(error))}") from None


def add(pair: PairEntry) -> None:
    """Puts the pair into the user's catalogue, in place of one of that name."""
    table: dict[str, Any] = {"title": pair.title, "for": pair.whom, "licence": pair.licence}
    if not pair.whom:
        del table["for"]
    if pair.shared is not None:
        table["shared_vocabulary"] = pair.shared
    table["base"] = side(pair.base)
    if pair.aligned:
        table["aligned"] = side(pair.aligned)
    else:
        table["aligned"] = side(pair.lora, "lora") if pair.lora else {"same": True}
    put("pairs", pair.name, table)


def side(file: ModelFile, key: str = "source") -> dict[str, Any]:
    sources = [str(source) for source in file.sources]
    given = {key: sources if len(sources) > 1 else sources[0], "size": file.size, "sha256": file.sha256}
    return {name: value for name, value in given.items() if value}
