from pathlib import Path

import pytest

from baco_local.catalog import reading
from baco_local.catalog.entries import Source
from baco_local.errors import ModelProblem, UsageProblem

GOOD = """
[pairs.mine]
title = "Mine"
licence = "MIT"
[pairs.mine.base]
source = "file:base.gguf"
[pairs.mine.aligned]
source = "hf:owner/repo/folder/model.gguf@v1"
size = 10
sha256 = "%s"
""" % ("a" * 64)  # fmt: skip


def read(tmp_path: Path, text: str) -> dict[str, reading.PairEntry]:
    path = tmp_path / "models.toml"
    path.write_text(text)
    return reading.read_file(path).pairs


def test_the_shipped_starter() -> None:
    starter = reading.read_catalog().pair("starter")
    assert len(starter.base.sources) == 4
    assert (starter.base.size, starter.aligned.size) == (253_113_024, 98_362_432)
    assert "Gemma" in starter.licence


def test_sources(tmp_path: Path) -> None:
    pair = read(tmp_path, GOOD)["mine"]
    assert pair.base.path == tmp_path / "base.gguf"
    assert pair.aligned.sources == (Source("hf", "owner/repo", "v1", "folder/model.gguf"),)
    assert pair.aligned.file == "model.gguf"
    with pytest.raises(ModelProblem, match=r"no such file; correct \[pairs.mine\]"):
        pair.base.found(pair)
    with pytest.raises(ModelProblem, match="baco-local pull mine"):
        pair.aligned.found(pair)


def test_the_users_own_file_is_laid_over(home: Path) -> None:
    own = home / "config" / "models.toml"
    own.parent.mkdir(exist_ok=True)
    own.write_text(GOOD)
    try:
        assert {"starter", "mine"} <= set(reading.read_catalog().pairs)
    finally:
        own.unlink()


def test_the_shipped_catalogue() -> None:
    """Sixteen pairs from 0.3 to 8 billion parameters, each with what a writer has to know before pulling it."""
    pairs = reading.read_file(reading.shipped_file()).pairs
    assert len(pairs) >= 9
    for pair in pairs.values():
        assert pair.whom
        assert pair.shared is not None
        assert all(file.exact_size or file.about for file in pair.files.values())
        assert (pair.checked is not None) == (pair.name == "starter")
    assert {"olmo-2-7b", "llama-3-8b"} <= set(pairs)


def test_an_adapter_and_one_model_as_both(tmp_path: Path) -> None:
    over = GOOD.replace('source = "hf:', 'lora = "hf:')
    pair = read(tmp_path, over)["mine"]
    assert (pair.aligned, pair.same, set(pair.files)) == (None, False, {"base", "lora"})
    both = GOOD[: GOOD.index("[pairs.mine.aligned]")] + "[pairs.mine.aligned]\nsame = true\n"
    pair = read(tmp_path, both)["mine"]
    assert (pair.same, set(pair.files)) == (True, {"base"})


def test_a_broken_link_as_catalogue_is_told(home: Path) -> None:
    own = home / "config" / "models.toml"
    own.parent.mkdir(exist_ok=True)
    own.symlink_to("nowhere")
    try:
        with pytest.raises(UsageProblem, match="can't be read"):
            reading.read_catalog()
    finally:
        own.unlink()


def test_unknown_pair_names_the_nearest() -> None:
    with pytest.raises(UsageProblem, match="did you mean 'starter'"):
        reading.read_catalog().pair("startr")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("source =", "sorce ="), r"\[pairs.mine.base\]: unknown key 'sorce'; did you mean 'source'"),
        (('title = "Mine"', "title = 3"), r"\[pairs.mine\]: title must be a text"),
        (("size = 10", 'size = "10"'), "size must be a whole number"),
        (("size = 10", "size = true"), "size must be a whole number"),
        (("size = 10", "size = -1"), "size must be"),
        (('licence = "MIT"\n', ""), "licence is missing"),
        (("hf:owner", "http:owner"), "not of the form"),
        (("hf:owner/repo/folder/model.gguf@v1", "pypi:name"), "not of the form"),
        (("a" * 64, "abc"), "sha256 must be 64"),
        (("[pairs.mine.base]", "[pair.mine.base]"), "unknown key 'pair'; did you mean 'pairs'"),
        (('"file:base.gguf"', '["file:a", "file:b"]'), "stands alone"),
        (('"file:base.gguf"', "[]"), "source must be"),
        (('"file:base.gguf"', '"file:base.gguf"\nfile = "../x"'), "plain file name"),
        (('title = "Mine"', "title = "), "not valid TOML"),
        (("[pairs.mine]", "[pairs.'my pair']"), "letters, digits"),
        (("file:base.gguf", "file:../base.gguf"), r"\[pairs.mine.base\]: source .* climbs out of the folder"),
        (("folder/model.gguf", "../model.gguf"), "climbs out of its repository"),
        (("size = 10", "about = 0"), "about must be"),
        (('licence = "MIT"', 'licence = "MIT"\ngated = 1'), "gated must be true or false"),
        (('licence = "MIT"', 'licence = "MIT"\nchecked = "today"'), "checked must be a date"),
        (('licence = "MIT"', 'licence = "MIT"\nshape = { layers = 1 }'), r"\[pairs.mine.shape\]: embedding is missing"),
        (('licence = "MIT"', 'licence = "MIT"\nsettings = { thresold = 1 }'), "did you mean 'threshold'"),
        (('source = "hf:owner', 'same = true\nsource = "hf:owner'), "unknown key 'source'"),
        (('source = "hf:owner', 'lora = "file:a"\nsource = "hf:owner'), "unknown key 'source'"),
        (("[pairs.mine]\n", "pins = 1\n[pairs.mine]\n"), "pins must be a table"),
        (("[pairs.mine]\n", "[pins.'hf:a/b/c@main']\nsize = 1\n[pairs.mine]\n"), "sha256 is missing"),
    ],
)
def test_mistakes_name_file_table_and_key(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(UsageProblem, match=says) as caught:
        read(tmp_path, GOOD.replace(*change))
    assert str(tmp_path / "models.toml") in str(caught.value)
    assert "\n" not in str(caught.value)
