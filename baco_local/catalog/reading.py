"""Reads models.toml, the shipped one and the user's own, and takes nothing it does not understand."""

import dataclasses
import datetime
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baco_local import paths
from baco_local.catalog.checking import Kind, check, nearest
from baco_local.catalog.entries import Calibration, ModelFile, PairEntry, Pin, Shape, Source
from baco_local.catalog.sources import read_source
from baco_local.errors import UsageProblem
from baco_local.text import one_line

PAIR_KEYS: dict[str, Kind] = {
    "title": str,
    "for": str,
    "licence": str,
    "gated": bool,
    "shared_vocabulary": bool,
    "checked": datetime.date,
    "base": dict,
    "aligned": dict,
    "shape": (dict, list),
    "settings": dict,
}
FILE_KEYS: dict[str, Kind] = {"file": str, "size": int, "sha256": str, "about": int}
SIDE_KEYS: dict[str, Kind] = {"source": (str, list), **FILE_KEYS}
LORA_KEYS: dict[str, Kind] = {"lora": (str, list), **FILE_KEYS}
SHAPE_KEYS: dict[str, Kind] = dict.fromkeys(("layers", "embedding", "kv", "feed_forward", "vocabulary"), int)
SETTINGS_KEYS: dict[str, Kind] = {
    "router": str,
    **dict.fromkeys(("threshold", "temperature", "top_p", "min_p"), (int, float)),
}
CALIBRATION_KEYS: dict[str, Kind] = {"thresholds": list, "shares": list, "default": (int, float)}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LARGEST, DOTS = (
    1 << 20,
    200,
)  # bytes of a models.toml; parts of a key: tomllib takes minutes for keys of thousands of parts


@dataclass(frozen=True, slots=True)
class Catalog:
    pairs: Mapping[str, PairEntry]

    def pair(self, name: str) -> PairEntry:
        """Raises UsageProblem, naming the nearest ones, for a name it doesn't have."""
        if name in self.pairs:
            return self.pairs[name]
        raise UsageProblem(f"no pair is called {one_line(name)!r}; {nearest(name, self.pairs)}")


@dataclass(frozen=True, slots=True)
class Content:
    """One models.toml. pins by the source they are of, calibrations by pair and router."""

    pairs: dict[str, PairEntry]
    pins: dict[str, Pin]
    calibrations: dict[str, dict[str, Calibration]]


def shipped_file() -> Path:
    """models.toml as installed; in a source tree it lies one folder up."""
    package = Path(__file__).parent.parent
    inside = package / "models.toml"
    return inside if inside.exists() else package.parent / "models.toml"


def user_file() -> Path:
    return paths.folder("config") / "models.toml"


def read_catalog() -> Catalog:
    """Shipped pairs overlaid by the user's. Raises UsageProblem naming file, table and key."""
    shipped = read_file(shipped_file())
    pairs, measured = shipped.pairs, shipped.calibrations
    if there(user_file()):
        own = read_file(user_file())
        pairs = {name: pinned(pair, own.pins) for name, pair in (pairs | own.pairs).items()}
        shipped_ones = {name: found for name, found in measured.items() if name not in own.pairs}
        names = shipped_ones.keys() | own.calibrations.keys()
        measured = {name: shipped_ones.get(name, {}) | own.calibrations.get(name, {}) for name in names}
    return Catalog(
        {name: dataclasses.replace(pair, calibrations=measured.get(name, {})) for name, pair in pairs.items()}
    )


def there(path: Path) -> bool:
    """A link that leads nowhere is there too: it is a mistake that has to be told."""
    try:
        path.lstat()
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None


def read_file(path: Path) -> Content:
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > LARGEST):
            raise UsageProblem(f"{path}: is no catalogue: a device, a pipe, a folder, or too large")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path}: not valid TOML: {one_line(str(error))}") from None
    return parsed(path, text)


def parsed(path: Path, text: str) -> Content:
    """The content of a models.toml; `path` is what it is called in complaints, and where its relative paths start."""
    if any(line.partition("=")[0].count(".") > DOTS for line in text.splitlines()):
        raise UsageProblem(f"{path}: not valid TOML: a key of more than {DOTS} parts")
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError, or a number of thousands of digits
        raise UsageProblem(f"{path}: not valid TOML: {one_line(str(error))}") from None
    check(path, "the file", content, {"pairs": dict, "pins": dict, "calibrations": dict})
    pairs = {name: read_pair(path, name, table) for name, table in content.get("pairs", {}).items()}
    pins = {source: read_pin(path, source, table) for source, table in content.get("pins", {}).items()}
    measured = {name: read_calibrations(path, name, table) for name, table in content.get("calibrations", {}).items()}
    return Content(pairs, pins, measured)


def read_pair(path: Path, name: str, table: Any) -> PairEntry:
    where = f"[pairs.{one_line(name)}]"
    if not NAME.fullmatch(name):
        raise UsageProblem(f"{path}: {where}: a name has letters, digits, dots, dashes and underscores only")
    if not isinstance(table, dict):
        raise UsageProblem(f"{path}: {where}: must be a table")
    check(path, where, table, PAIR_KEYS, ("title", "licence", "base", "aligned"))
    settings = table.get("settings", {})
    check(path, f"[pairs.{name}.settings]", settings, SETTINGS_KEYS)
    if not all(isinstance(value, str) or math.isfinite(value) for value in settings.values()):
        raise UsageProblem(f"{path}: [pairs.{name}.settings]: its numbers must be finite")
    base = read_side(path, f"[pairs.{name}.base]", table["base"])
    aligned, lora = read_aligned(path, f"[pairs.{name}.aligned]", table["aligned"])
    return PairEntry(
        name=name,
        title=one_line(table["title"]),
        licence=one_line(table["licence"]),
        base=base,
        aligned=aligned,
        lora=lora,
        origin=path,
        whom=one_line(table.get("for", "")),
        gated=table.get("gated", False),
        shared=table.get("shared_vocabulary"),
        checked=table.get("checked"),
        shapes=read_shapes(path, f"[pairs.{name}.shape]", table.get("shape")),
        settings=settings,
    )


def read_aligned(path: Path, where: str, table: dict[str, Any]) -> tuple[ModelFile | None, ModelFile | None]:
    """The aligned model or the adapter; neither where it is `same`."""
    if "same" in table:
        check(path, where, table, {"same": bool})
        if table["same"] is not True:
            raise UsageProblem(f"{path}: {where}: same must be true, or left out")
        return None, None
    if "lora" in table:
        return None, read_side(path, where, table, "lora")
    return read_side(path, where, table), None


def read_side(path: Path, where: str, table: dict[str, Any], key: str = "source") -> ModelFile:
    """key: `source` or `lora`, which holds where the file comes from."""
    keys = LORA_KEYS if key == "lora" else SIDE_KEYS
    check(path, where, table, keys, [key])
    listed = table[key] if isinstance(table[key], list) else [table[key]]
    if not listed or not all(isinstance(item, str) for item in listed):
        raise UsageProblem(f"{path}: {where}: {key} must be a text or a list of texts")
    sources = tuple(read_source(path, where, item) for item in listed)
    if any(source.kind == "file" for source in sources) and len(sources) > 1:
        raise UsageProblem(f"{path}: {where}: a file: source stands alone")
    size, sha256 = read_identity(path, where, table)
    file = table.get("file") or default_name(sources[0])
    own = sources[0].kind == "file" and "file" not in table  # used where it lies, whatever it is called
    if own:
        return ModelFile(sources, file, size, sha256, table.get("about"))
    if Path(file).name != file or file.startswith(".") or one_line(file) != file:
        raise UsageProblem(f"{path}: {where}: file must be a plain file name, not a path")
    return ModelFile(sources, file, size, sha256, table.get("about"))


def default_name(source: Source) -> str:
    return Path(source.member or source.place).name


def read_identity(path: Path, where: str, table: dict[str, Any]) -> tuple[int | None, str]:
    """size and sha256, None and "" where they are not given."""
    sha256 = table.get("sha256", "").lower()
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UsageProblem(f"{path}: {where}: sha256 must be 64 hexadecimal digits")
    for key in ("size", "about"):
        if not 1 <= table.get(key, 1) < 1 << 60:
            raise UsageProblem(f"{path}: {where}: {key} must be the file's bytes")
    return table.get("size"), sha256


def read_pin(path: Path, source: str, table: Any) -> Pin:
    where = f"[pins.{one_line(source)!r}]"
    if not isinstance(table, dict):
        raise UsageProblem(f"{path}: {where}: must be a table")
    check(path, where, table, {"size": int, "sha256": str, "pulled": datetime.date}, ("size", "sha256"))
    size, sha256 = read_identity(path, where, table)
    return Pin(size or 0, sha256)


def read_calibrations(path: Path, name: str, table: Any) -> dict[str, Calibration]:
    where = f"[calibrations.{one_line(name)}]"
    if not isinstance(table, dict) or not all(isinstance(one, dict) for one in table.values()):
        raise UsageProblem(f"{path}: {where}: must be a table with one for each router")
    return {router: read_calibration(path, f"{where}: {one_line(router)}", one) for router, one in table.items()}


def read_calibration(path: Path, where: str, table: dict[str, Any]) -> Calibration:
    check(path, where, table, CALIBRATION_KEYS, CALIBRATION_KEYS)
    thresholds, shares, default = table["thresholds"], table["shares"], table["default"]
    numbers = [*thresholds, *shares, default]
    if not all(type(one) in (int, float) and 0 <= one <= 1e6 for one in numbers):
        raise UsageProblem(f"{path}: {where}: its numbers must be finite and not below 0")
    if len(thresholds) != len(shares) or not thresholds or max(shares) > 1:
        raise UsageProblem(f"{path}: {where}: each threshold has a share in [0, 1]")
    return Calibration(tuple(map(float, thresholds)), tuple(map(float, shares)), float(default))


def read_shapes(path: Path, where: str, given: dict[str, Any] | list[Any] | None) -> tuple[Shape, Shape] | None:
    """One for both models, or one for each."""
    if given is None:
        return None
    tables = given if isinstance(given, list) else [given, given]
    if len(tables) != 2 or not all(isinstance(table, dict) for table in tables):
        raise UsageProblem(f"{path}: {where}: must be a table, or one for base and one for aligned")
    base, aligned = (read_shape(path, where, table) for table in tables)
    return base, aligned


def read_shape(path: Path, where: str, table: dict[str, Any]) -> Shape:
    check(path, where, table, SHAPE_KEYS, SHAPE_KEYS)
    if not all(1 <= value < 1 << 40 for value in table.values()):
        raise UsageProblem(f"{path}: {where}: must be whole numbers above 0")
    return Shape(**table)


def pinned(pair: PairEntry, pins: Mapping[str, Pin]) -> PairEntry:
    """The pair with what the user's catalogue has pinned of its files."""

    def with_pin(file: ModelFile) -> ModelFile:
        pin = pins.get(str(file.sources[0])) if len(file.sources) == 1 else None
        return dataclasses.replace(file, pin=pin) if pin else file

    return dataclasses.replace(
        pair,
        base=with_pin(pair.base),
        aligned=pair.aligned and with_pin(pair.aligned),
        lora=pair.lora and with_pin(pair.lora),
    )
