"""What the catalogue knows of a pair: which files make it, and where they come from."""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from baco_local import paths
from baco_local.errors import ModelProblem

GIVEN = Path("the command line")  # origin of a pair whose files were named on the spot


@dataclass(frozen=True, slots=True)
class Source:
    """kind: `pypi` (package, version, member), `hf` (repo, file, revision) or `file` (a path).

    place, version and member by kind: package, version, file in the wheel; repo, revision,
    file in the repo; path, "", "".
    """

    kind: str
    place: str
    version: str = ""
    member: str = ""

    def __str__(self) -> str:
        """As models.toml writes it."""
        if self.kind == "hf":
            return f"hf:{self.place}/{self.member}@{self.version}"
        if self.kind == "pypi":
            return f"pypi:{self.place}=={self.version}" + (f"#{self.member}" if self.member else "")
        return f"file:{self.place}"


@dataclass(frozen=True, slots=True)
class Pin:
    """What a file was found to be when it was first pulled: later pulls must bring the same. size in bytes."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a pair. size in bytes; None and "" for what the catalogue doesn't say.

    about: bytes, roughly, where the exact size is not known. pin: of an earlier pull.
    """

    sources: tuple[Source, ...]
    file: str
    size: int | None = None
    sha256: str = ""
    about: int | None = None
    pin: Pin | None = None

    @property
    def local(self) -> bool:
        """Is it a file of the user's own, used where it lies?"""
        return self.sources[0].kind == "file"

    @property
    def path(self) -> Path:
        """Where it is, or will be once pulled; the folder's name keeps two files of one name apart."""
        if self.local:
            return Path(self.sources[0].place)
        key = self.sha256 or hashlib.sha256("\n".join(map(str, self.sources)).encode()).hexdigest()
        return paths.folder("data") / "models" / key[:8] / self.file

    @property
    def exact_size(self) -> int | None:
        return self.size or (self.pin.size if self.pin else None)

    @property
    def checksum(self) -> str:
        """The sha256 it must have; "" where none is known."""
        return self.sha256 or (self.pin.sha256 if self.pin else "")

    @property
    def present(self) -> bool:
        """A pulled file is put in place whole and verified, so its size is check enough."""
        try:
            found = self.path.stat().st_size
        except OSError:
            return False
        return self.local or self.exact_size is None or found == self.exact_size

    def found(self, pair: "PairEntry") -> Path:
        """The path. Raises ModelProblem, saying what to type, where there is no file."""
        try:
            if self.path.exists():
                return self.path
        except OSError as error:
            raise ModelProblem(f"{self.path}: can't be read ({error.strerror})") from None
        if pair.origin == GIVEN:
            raise ModelProblem(f"{self.path}: no such file")
        if self.local:
            raise ModelProblem(f"{self.path}: no such file; correct [pairs.{pair.name}] in {pair.origin}")
        raise ModelProblem(f"{self.path}: not here yet; get it with: baco-local pull {pair.name}")


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides how much memory a model needs beside its weights. The numbers of a GGUF header, or, for
    a file that is not here yet, of its family's published configuration.

    layers; embedding: width of a token's vector; kv: width of the keys that one token keeps, all layers
    together, and as much for the values; feed_forward; vocabulary: tokens; state: bytes that one
    sequence keeps in recurrent layers; head: width of the keys and values of one head, 0 where it is not known.
    """

    layers: int
    embedding: int
    kv: int
    feed_forward: int
    vocabulary: int
    state: int = 0
    head: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured of one router with a pair: the share of tokens that base writes, in [0, 1], at each threshold; and
    the threshold that did best."""

    thresholds: tuple[float, ...]
    shares: tuple[float, ...]
    default: float


@dataclass(frozen=True, slots=True)
class PairEntry:
    """A pair by name. The aligned side is a file of its own, a `lora` over base, or `same`: base with its chat template.

    whom: for whom it is. gated: must a licence be accepted at the hub before it can be pulled?
    shared: do both sides have one vocabulary, as far as is known? checked: when the files were
    last opened by this catalogue's author; None for an entry that was never tried. shapes: base's and aligned's.
    calibrations: by router.
    """

    name: str
    title: str
    licence: str
    base: ModelFile
    aligned: ModelFile | None
    origin: Path  # the models.toml that says so
    lora: ModelFile | None = None
    whom: str = ""
    gated: bool = False
    shared: bool | None = None
    checked: datetime.date | None = None
    shapes: tuple[Shape, Shape] | None = None
    settings: Mapping[str, float | str] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        return self.aligned is None and self.lora is None

    @property
    def files(self) -> dict[str, ModelFile]:
        listed = {"base": self.base, "aligned": self.aligned, "lora": self.lora}
        return {side: file for side, file in listed.items() if file}

    @property
    def ready(self) -> bool:
        return all(file.present for file in self.files.values())
