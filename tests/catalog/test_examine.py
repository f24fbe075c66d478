"""Pairs that are none, told before anything is loaded; and the three forms that are."""

import os
from pathlib import Path
from typing import Any

import pytest
from oracle import write_model, write_random_lora

from baco_local.catalog import checksums, examine
from baco_local.catalog.entries import ModelFile, PairEntry, Source
from baco_local.catalog.given import given_entry
from baco_local.errors import ModelProblem, UsageProblem

CONTENT = [" a", " b", "a", "b"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    base = write_model(tmp_path / "base.gguf", CONTENT, {}, template=None)
    return {
        "base": base,
        "aligned": write_model(tmp_path / "aligned.gguf", CONTENT, {}),
        "lora": write_random_lora(tmp_path / "lora.gguf", base),
        "other": write_model(tmp_path / "other.gguf", ["x", "y", " x", " y"], {}),
    }


def examined(**given: Any) -> examine.Examined:
    entry = given_entry(**given)
    assert entry
    return examine.examine(entry)


def test_the_forms(files: dict[str, Path]) -> None:
    two = examined(base=files["base"], aligned=files["aligned"])
    assert [facts.path for facts in two.models] == [files["base"], files["aligned"]]
    assert two.shared
    assert two.warnings == ()
    over = examined(base=files["base"], lora=files["lora"])
    assert (over.models, over.checks) == ([over.base], [(files["base"], files["lora"])])
    one = examined(same=files["aligned"])
    assert (one.models, one.lora, one.shared) == ([one.base], None, True)


@pytest.mark.parametrize(
    "given",
    [
        {"base": "a"},
        {"aligned": "a"},
        {"lora": "a"},
        {"base": "a", "same": "b"},
        {"base": "a", "aligned": "b", "lora": "c"},
    ],
)
def test_files_that_make_no_pair(given: dict[str, str]) -> None:
    with pytest.raises(UsageProblem, match="--base and --aligned, or --base and --lora"):
        given_entry(**given)


def test_swapped_sides_are_noticed(files: dict[str, Path]) -> None:
    [warning] = examined(base=files["aligned"], aligned=files["base"]).warnings
    assert warning == "aligned.gguf has a chat template and base.gguf has none: are base and aligned swapped?"


def test_models_and_adapters_in_each_others_place(files: dict[str, Path]) -> None:
    with pytest.raises(ModelProblem, match=r"lora\.gguf: is an adapter .* --lora"):
        examined(base=files["base"], aligned=files["lora"])
    with pytest.raises(ModelProblem, match=r"aligned\.gguf: is a whole model"):
        examined(base=files["base"], lora=files["aligned"])


def test_an_adapter_for_another_architecture(starter: dict[str, Path], files: dict[str, Path]) -> None:
    with pytest.raises(ModelProblem, match=r"lora\.gguf: is an adapter for llama models, and .* is a gemma3 model"):
        examined(base=starter["base"], lora=files["lora"])


def test_one_vocabulary_can_be_demanded(files: dict[str, Path]) -> None:
    examine.demand_one_vocabulary(examined(base=files["base"], aligned=files["aligned"]))
    with pytest.raises(UsageProblem, match=r"4 tokens differ \(259: "):
        examine.demand_one_vocabulary(examined(base=files["base"], aligned=files["other"]))


def entry_for(path: Path, size: int | None = None, sha256: str = "") -> PairEntry:
    file = ModelFile((Source("file", str(path)),), path.name, size, sha256)
    return PairEntry("mine", "Mine", "MIT", file, None, path.parent / "models.toml")


def test_another_file_under_the_same_name(files: dict[str, Path]) -> None:
    path = files["aligned"]
    size, sha256 = path.stat().st_size, checksums.checksum(path)
    examine.examine(entry_for(path, size, sha256))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelProblem, match=r"is another file than the catalogue's mine .*\n.*models add mine"):
        examine.examine(entry_for(path, size, sha256))
    with pytest.raises(ModelProblem, match="half a file, or another one"):
        examine.examine(entry_for(path, size + 1, sha256))


def test_a_pulled_file_that_is_half_there_says_to_pull_again(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path / "home"))
    content = files["aligned"].read_bytes()
    file = ModelFile((Source("hf", "o/r", "main", "m.gguf"),), "m.gguf", len(content))
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(content[:1000])
    assert not file.present
    with pytest.raises(ModelProblem, match=r"half a file.*\nget it again with: baco-local pull mine"):
        examine.examine(PairEntry("mine", "Mine", "MIT", file, None, tmp_path / "models.toml"))


def test_a_checksum_is_read_once_as_long_as_the_file_stays(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = files["base"], []
    known = checksums.checksum(path)
    monkeypatch.setattr(checksums, "read_checksum", lambda path, at: read.append(path) or "0" * 64)
    assert checksums.checksum(path) == known
    assert not read
    os.utime(path, (1, 1))
    assert checksums.checksum(path) == "0" * 64
    assert read == [path]
