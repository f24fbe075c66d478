"""Whether token ids pass across: told from headers, and the same as what llama.cpp's own reading of them says."""

from pathlib import Path

import pytest
from oracle import write_model

from baco_local.catalog.gguf import read_header
from baco_local.catalog.vocabularies import compare, shared
from baco_local.runtime.model import Model

CONTENT = [" a", " b", "a", "b"]


def models(tmp_path: Path, one: list[str], two: list[str]) -> tuple[Path, Path]:
    return write_model(tmp_path / "one.gguf", one, {}), write_model(tmp_path / "two.gguf", two, {})


@pytest.mark.parametrize(
    ("one", "two", "kind", "differing"),
    [
        (CONTENT, CONTENT, "same", 0),
        (CONTENT, [*CONTENT, " c"], "compatible", 1),
        (CONTENT, [" a", " c", "a", "b"], "different", 1),
        (CONTENT, [*CONTENT, *[f" {chr(0x4E00 + i)}" for i in range(200)]], "different", 200),
    ],
)
def test_from_headers_and_from_llama_cpp(
    tmp_path: Path, one: list[str], two: list[str], kind: str, differing: int
) -> None:
    paths = models(tmp_path, one, two)
    headers = [read_header(path) for path in paths]
    found = compare(*headers)
    assert (found.kind, found.differing) == (kind, differing)
    with Model(paths[0], vocab_only=True) as first, Model(paths[1], vocab_only=True) as second:
        assert first.vocabulary.same_as(second.vocabulary) == (kind != "different") == shared(*headers)


def test_the_first_differences_are_shown(tmp_path: Path) -> None:
    paths = models(tmp_path, [" a", " b", "x", "y"], [" a", " c", "x", "z"])
    found = compare(*(read_header(path) for path in paths), limit=1)
    assert found.differing == 2
    [(token, one, two)] = found.first
    assert (one, two) == ("\u2581b", "\u2581c")
    assert read_header(paths[0]).strings("tokenizer.ggml.tokens")[token] == "\u2581b".encode()


def test_names_of_control_tokens_do_not_make_another_vocabulary(tmp_path: Path) -> None:
    paths = models(tmp_path, CONTENT, CONTENT)
    content = paths[1].read_bytes()
    paths[1].write_bytes(content.replace(b"</s>", b"<!e>", 1))
    found = compare(*(read_header(path) for path in paths))
    assert (found.kind, found.differing, found.first) == ("compatible", 1, ((2, "</s>", "<!e>"),))


def test_a_control_token_that_one_file_calls_normal_is_the_same(tmp_path: Path) -> None:
    """llama.cpp makes one of it by its name."""
    paths = models(tmp_path, [*CONTENT, "<|im_end|>"], [*CONTENT, "<|im_end|>"])
    assert compare(*(read_header(path) for path in paths)).kind == "same"
    content = paths[1].read_bytes()
    header = read_header(paths[1])
    at = header.arrays["tokenizer.ggml.token_type"].offset + 4 * (header.arrays["tokenizer.ggml.token_type"].count - 1)
    assert content[at : at + 4] == b"\1\0\0\0"
    paths[1].write_bytes(content[:at] + b"\3\0\0\0" + content[at + 4 :])
    with Model(paths[0], vocab_only=True) as first, Model(paths[1], vocab_only=True) as second:
        assert first.vocabulary.same_as(second.vocabulary)
    assert shared(*(read_header(path) for path in paths))


def test_the_starter_passes_text(starter: dict[str, Path]) -> None:
    assert not shared(*(read_header(path) for path in starter.values()))
