"""Files that are not usable models: one line each, and never the end of the process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import write_model

from baco_local.catalog.facts import facts_of
from baco_local.errors import ModelProblem
from baco_local.runtime import probe
from baco_local.runtime.model import Model

CONTENT = [" a", " b", "a", "b"]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_model(tmp_path / "whole.gguf", CONTENT, {})


def problem(path: Path) -> str:
    with pytest.raises(ModelProblem) as caught:
        probe.check(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.count("\n") == message.count("\nreinstall it for this machine: pip install")
    assert len(message) < 400
    return message


def test_what_a_good_file_says_of_itself(whole: Path) -> None:
    probe.check(whole)
    facts = facts_of(whole)
    assert (facts.n_vocab, facts.n_ctx_train, facts.has_template, facts.name) == (263, 4096, True, "oracle")


def test_missing_folder_empty_and_other_files(tmp_path: Path) -> None:
    assert "no such file" in problem(tmp_path / "none.gguf")
    assert "is a folder" in problem(tmp_path)
    (tmp_path / "empty.gguf").touch()
    assert "is empty" in problem(tmp_path / "empty.gguf")
    (tmp_path / "text.gguf").write_text("Once upon a time")
    assert "not a GGUF file" in problem(tmp_path / "text.gguf")
    (tmp_path / "stub.gguf").write_bytes(b"GGUF")
    assert "cut short" in problem(tmp_path / "stub.gguf")


def test_unreadable(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # (root, which tests may run as, may read everything)

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in problem(whole)


@pytest.mark.parametrize("part", [0.001, 0.01, 0.3, 0.9, 0.999])
def test_truncated(whole: Path, part: float) -> None:
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * part)])
    assert "cut short" in problem(whole)


@pytest.mark.parametrize("place", [8, 16, 24, 60, 200, 1000])
def test_bytes_turned_over(whole: Path, place: int) -> None:
    content = bytearray(whole.read_bytes())
    content[place : place + 8] = b"\xff" * 8
    whole.write_bytes(content)
    assert "damaged" in problem(whole)


def test_a_vocabulary_that_makes_llama_cpp_throw(tmp_path: Path) -> None:
    """Without byte tokens an unknown character ends the process that meets it; only the child meets it."""
    path = write_model(tmp_path / "broken.gguf", CONTENT, {}, bytes_too=False)
    assert "crashing" in problem(path)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "does not end"),
        ("{{ 'x' * 3000000000 }}", "fills the memory"),
        ("{{ 'x' * 300000 }}", "far too long a prompt"),
    ],
)
def test_a_template_that_never_ends_or_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, says: str
) -> None:
    assert says in problem(write_model(tmp_path / "rude.gguf", CONTENT, {}, template=template))


def test_a_template_that_fails_is_told_when_it_is_used(tmp_path: Path) -> None:
    probe.check(write_model(tmp_path / "poor.gguf", CONTENT, {}, template="{{ nothing.at.all }}"))


def test_verdicts_are_remembered_and_forgotten_with_the_file(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe.check(whole)
    asked: list[Path] = []
    monkeypatch.setattr(
        probe, "ask_child", lambda files, children: asked.append(files) or {"problem": "asked", "passing": True}
    )
    probe.check(whole)
    assert asked == []
    shutil.copy(whole, whole.with_name("other.gguf"))
    with pytest.raises(ModelProblem, match="asked"):
        probe.check(whole.with_name("other.gguf"))


def test_a_model_without_a_template_is_read_as_such(tmp_path: Path) -> None:
    with Model(write_model(tmp_path / "plain.gguf", CONTENT, {}, template=None)) as model:
        assert model.chat_template is None


@pytest.mark.parametrize(
    "content", ["", "{", "5", '{"format": 3}', '{"format": 3, "files": {"KEY": 5}}', "[" * 100_000]
)
def test_damaged_verdicts_are_asked_for_again(whole: Path, home: Path, content: str) -> None:
    path = home / "cache" / "verdicts.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content.replace("KEY", probe.cache_key(whole)))
    probe.check(whole)
    assert probe.read_verdicts()[probe.cache_key(whole)] == {"usable": True}


def test_a_failure_that_may_pass_is_not_remembered(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(probe, "ask_child", lambda files, children: {"problem": "killed", "passing": True})
        with pytest.raises(ModelProblem, match="killed"):
            probe.check(whole)
    probe.check(whole)
    assert probe.read_verdicts()[probe.cache_key(whole)] == {"usable": True}


def test_a_prompt_does_not_end_in_the_end_token(tmp_path: Path) -> None:
    path = write_model(tmp_path / "eos.gguf", CONTENT, {}, adds_eos=True)
    with Model(path) as model:
        assert model.vocabulary.tokenize(b" a", add_special=True) == [1, 259]


@pytest.mark.parametrize(("built", "used"), [("AVX2 = 1 | AMX_INT8 = 1 | ", False), ("AVX2 = 1 | ", True)])
def test_where_amx_is_built_in_weights_stay_as_they_are(built: str, used: bool) -> None:
    """In a process of its own, for llama.cpp is set up once."""
    code = f"""
import llama_cpp.llama_cpp as module
module.llama_print_system_info = lambda: {built.encode()!r}
from baco_local.runtime.llama import llama
print(llama().llama_model_default_params().use_extra_bufts)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(used)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SIGILL", "built for another CPU"),
        ("SIGBUS", "could not run here"),
        ("SIGKILL", "not enough memory"),
        ("SIGABRT", "damaged or unsupported"),
    ],
)
def test_how_the_child_ended_says_whose_fault_it_is(
    whole: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.setattr(probe.sys, "executable", whole.with_name("python"))
    whole.with_name("python").write_text(f"#!/bin/sh\nkill -{name.removeprefix('SIG')} $$\n")
    whole.with_name("python").chmod(0o700)
    said = problem(whole)
    assert says in said
    assert ("pip install" in said) == (name == "SIGILL")
