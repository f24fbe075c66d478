"""The doctor's verdicts, each with the fault that it is there for, and the step that mends it."""

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle import write_model

from baco_local.checkup import engine, library, machine, pairs
from baco_local.checkup.line import MISSING, OK, SLOW, Line
from baco_local.library import Library

BUILT = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | REPACK = 1 | "


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "config").mkdir(parents=True)
    return tmp_path / "home"


def test_a_build_that_leaves_instructions_unused_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cpu_flags", lambda: {"avx2", "fma", "f16c"})
    assert engine.instructions(BUILT).verdict == OK
    monkeypatch.setattr(engine, "cpu_flags", lambda: {"avx2", "fma", "f16c", "avx512f", "avx512_vnni"})
    found = engine.instructions(BUILT)
    assert (found.verdict, found.mend) == (SLOW, engine.REBUILD)
    assert found.said.endswith("this CPU also has AVX512, AVX512_VNNI")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    engine.ask.cache_clear()
    yield
    engine.ask.cache_clear()


def answer(monkeypatch: pytest.MonkeyPatch, code: int, out: bytes = b"", err: bytes = b"") -> None:
    engine.ask.cache_clear()
    done = subprocess.CompletedProcess([], code, out, err)
    monkeypatch.setattr(engine.subprocess, "run", lambda *_, **__: done)


def test_a_llama_cpp_that_ends_the_process_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, -4)
    [found] = engine.llama_cpp()
    assert (found.verdict, found.mend) == (MISSING, engine.REBUILD)
    assert "another CPU" in found.said
    answer(monkeypatch, 1, err=b"Traceback\nllama-cpp-python could not be loaded: no such\x1b[2J library\n")
    [found] = engine.llama_cpp()
    assert found.said == "llama-cpp-python could not be loaded: no such[2J library"
    answer(monkeypatch, 0, out=b"nonsense")
    assert engine.llama_cpp()[0].verdict == MISSING


def test_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = {"name": "CUDA0", "description": "A card", "kind": "gpu", "free": 7e9, "total": 8e9}
    assert "CUDA0, A card, 7.0 of 8.0 GB free" in engine.offload({"offload": True, "devices": [gpu]}).said
    assert engine.offload({"offload": True, "devices": []}).verdict == SLOW
    monkeypatch.setattr(engine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    found = engine.offload({"offload": False, "devices": []})
    assert (found.verdict, "GGML_CUDA=on" in found.mend) == (SLOW, True)
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    assert engine.offload({"offload": False, "devices": []}).verdict == OK


def test_the_numpy_kernel_is_slow(baco: Any) -> None:
    found = json.loads(baco("doctor", "--json", env={"BACO_LOCAL_KERNEL": "numpy"}).stdout)
    assert found["program"]["kernel"]["verdict"] == SLOW
    assert "C compiler" in found["program"]["kernel"]["mend"]


def test_little_memory_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.machine, "memory", lambda: (4 << 30, 100 << 20))
    assert machine.memory() == Line(
        "memory", "4.3 GB, 0.1 GB available", SLOW, "close other programs, or choose a small pair: baco-local models"
    )
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**10, 10**10, 10**6))
    assert machine.disk().verdict == MISSING


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path / "file"))
    assert {line.verdict for line in machine.folders()} == {MISSING}
    assert not any("chown" in line.mend for line in machine.folders())
    assert all("BACO_LOCAL_HOME" in line.mend for line in machine.folders())


def test_a_catalogue_with_a_mistake(home: Path) -> None:
    (home / "config" / "models.toml").write_text("[pairs.mine]\ntitel = 1\n")
    [found] = pairs.lines()
    assert (found.verdict, found.mend) == (MISSING, f"correct or remove {home}/config/models.toml")
    assert "did you mean 'title'" in found.said


def test_a_broken_llama_cpp_does_not_blame_the_files(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write_model(tmp_path / "good.gguf", [" a", "a"], {})
    entry = f'[pairs.good]\ntitle = "x"\nlicence = "MIT"\nbase = {{ source = "file:{good}" }}\naligned = {{ same = true }}\n'
    (home / "config" / "models.toml").write_text(entry)
    answer(monkeypatch, -4)
    assert {line.name: line.verdict for line in pairs.lines()}["good"] == OK
    assert not (home / "cache" / "verdicts.json").exists()


def test_every_section_survives_the_others(baco: Any) -> None:
    done = baco("doctor", "--json", env={"BACO_LOCAL_HOME": "~nobody-at-all/x"})
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["pairs"]["problem"]["verdict"] == MISSING
    assert found["program"]["baco-local"]["verdict"] == OK


def test_pairs_that_are_ready_and_that_are_not(home: Path, tmp_path: Path) -> None:
    good = write_model(tmp_path / "good.gguf", [" a", "a"], {})
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(good.read_bytes()[:5000])
    entry = '[pairs.{0}]\ntitle = "x"\nlicence = "MIT"\nbase = {{ source = "file:{1}" }}\naligned = {{ same = true }}\n'
    (home / "config" / "models.toml").write_text(entry.format("good", good) + entry.format("bad", bad))
    found = {line.name: line for line in pairs.lines()}
    assert found["good"] == Line("good", "oracle F32 as both; one vocabulary, token ids pass across")
    assert found["bad"].verdict == MISSING
    assert "cut short" in found["bad"].said
    assert found["more"].said.endswith("pairs can be pulled (baco-local models)")


def test_the_library(home: Path) -> None:
    assert "none yet" in library.lines()[0].said
    path = home / "data" / "library.db"
    with Library(path) as found:
        for number in range(300):
            found.record(f"Prompt {number} " * 20, {})[1].close()
    [line] = library.lines()
    assert (line.verdict, line.said.endswith(", whole")) == (OK, True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    [line] = library.lines()
    assert line.verdict == MISSING
    assert "damaged" in line.said
    (home / "config" / "config.toml").write_text("history = false\n")
    assert "is off" in library.lines()[0].said


def test_the_terminal(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    code = "from baco_local.checkup import machine; print([(l.name, l.verdict, l.said) for l in machine.terminal()], flush=True)"
    subprocess.run([sys.executable, "-c", code], stdout=follower, check=True, env=environment | {"TERM": "dumb"})
    os.close(follower)
    said = os.read(leader, 10_000).decode().replace("\r\n", "")
    os.close(leader)
    assert "('size', 'slow', '40 x 10')" in said
    assert "('colours', 'slow', " in said
