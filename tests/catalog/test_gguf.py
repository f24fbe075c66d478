"""Headers read in plain Python: what they say of real files, and that no damage gets past them."""

import random
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from oracle import finish, write_model, write_random_lora

from baco_local.catalog.facts import facts_in, facts_of
from baco_local.catalog.gguf import read_header
from baco_local.catalog.quantisation import FILE_TYPES, TYPES
from baco_local.errors import ModelProblem

CONTENT = [" a", " b", "a", "b"]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_model(tmp_path / "whole.gguf", CONTENT, {})


def problem(path: Path) -> str:
    with pytest.raises(ModelProblem) as caught:
        read_header(path)
    return str(caught.value)


def test_the_number_formats_are_those_of_the_reference() -> None:
    for number, (name, block, size) in TYPES.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, gguf.GGML_QUANT_SIZES[kind]) == (name, (block, size))
    for number, name in FILE_TYPES.items():
        assert gguf.LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_").startswith(name)


def test_real_headers_read_as_the_reference_reads_them(starter: dict[str, Path]) -> None:
    for path in starter.values():
        header, reference = read_header(path), gguf.GGUFReader(path)
        assert len(header.tensors) == len(reference.tensors)
        for ours, theirs in zip(header.tensors, reference.tensors, strict=True):
            assert (ours.name, ours.size, ours.type) == (theirs.name, theirs.n_bytes, theirs.tensor_type.name)
            assert ours.shape == tuple(map(int, theirs.shape))
        for key in ("general.architecture", "general.name", "tokenizer.ggml.model"):
            assert header.text(key) == reference.get_field(key).contents()
        tokens = header.strings("tokenizer.ggml.tokens")
        field = reference.get_field("tokenizer.ggml.tokens")
        for place in (0, 7, 4321, len(tokens) - 1):
            assert tokens[place] == bytes(field.parts[field.data[place]])
        assert len(header.numbers("tokenizer.ggml.token_type")) == len(tokens)
        assert header.size == path.stat().st_size


def test_facts_of_the_starter(starter: dict[str, Path]) -> None:
    base, aligned = (facts_of(path) for path in starter.values())
    assert (base.architecture, base.quantisation, base.n_vocab, base.has_template) == (
        "gemma3",
        "Q4_K_M",
        262_144,
        False,
    )
    assert (aligned.parameters, aligned.n_ctx_train, aligned.licence) == (134_515_008, 8192, "apache-2.0")
    assert base.shape
    assert base.shape.kv == 18 * 2 * 256
    assert aligned.shape
    assert aligned.shape.kv == 30 * 2 * 3 * 64


def test_an_adapter_is_told_from_a_model(whole: Path, tmp_path: Path) -> None:
    adapter = facts_of(write_random_lora(tmp_path / "lora.gguf", whole))
    assert (adapter.kind, adapter.architecture, adapter.shape) == ("adapter", "llama", None)


def test_a_file_cut_in_its_weights_says_how_much_is_missing(whole: Path) -> None:
    content = whole.read_bytes()
    whole.write_bytes(content[:-500_000])
    here, wanted = (len(content) - 500_000) / 1e6, len(content) / 1e6
    assert f"cut short: {here:,.1f} of {wanted:,.1f} MB" in problem(whole)


def test_damage_anywhere_in_a_header_is_a_line(whole: Path) -> None:
    content = whole.read_bytes()
    end = 20_000
    rng = random.Random(1)
    complaints = []
    for _ in range(1500):
        damaged = bytearray(content[:end] if rng.random() < 0.2 else content)
        for _ in range(rng.choice([1, 1, 4])):
            at = rng.randrange(4, end - 8)
            damaged[at : at + 8] = rng.choice(
                [rng.randbytes(8), b"\xff" * 8, bytes(8), struct.pack("<Q", rng.randrange(1 << 40))]
            )
        whole.write_bytes(damaged)
        try:
            facts_in(read_header(whole))
        except ModelProblem as error:
            complaints.append(str(error))
    assert len(complaints) > 100
    assert all(said.startswith(f"{whole}: ") and "\n" not in said for said in complaints)


def test_control_characters_do_not_reach_people(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "rude.gguf"), "llama")
    writer.add_name("nice\x1b[2J\x07 name\nsecond")
    writer.add_string("general.license", "MIT\x9b31m")
    writer.add_tensor("token\x1b_embd.weight", np.zeros((2, 2), np.float32))
    finish(writer)
    facts = facts_of(tmp_path / "rude.gguf")
    assert facts.name == "nice[2J name second"
    assert facts.licence == "MIT31m"
    assert "\x1b" not in read_header(tmp_path / "rude.gguf").tensors[0].name


def test_split_files(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "model.gguf"), "llama", split_max_tensors=1)
    for name in ("one", "two", "three"):
        writer.add_tensor(f"{name}.weight", np.zeros((4, 4), np.float32))
    finish(writer)
    parts = sorted(tmp_path.glob("model-*.gguf"))
    assert len(parts) == 3
    header = read_header(parts[0])
    assert [tensor.name for tensor in header.tensors] == ["one.weight", "two.weight", "three.weight"]
    assert header.size == sum(part.stat().st_size for part in parts)
    assert "is part 2 of 3; give the first one" in problem(parts[1])
    content = parts[2].read_bytes()
    parts[2].write_bytes(content[: len(content) // 2])
    assert parts[2].name in problem(parts[0])
    parts[2].unlink()
    assert f"1 of its 3 parts is missing: {parts[2].name}" in problem(parts[0])
    odd = parts[0].rename(tmp_path / "first.gguf")
    assert "must be called" in problem(odd)
