"""Shared fixtures: a home folder of the tests' own, the real starter pair, exact bigram pairs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from baco_local.catalog.reading import read_catalog

# Where the models are, before the tests move everything else to a folder of their own.
STARTER = {side: file.path for side, file in read_catalog().pair("starter").files.items()}


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """BACO_LOCAL_HOME for the whole run: caches are shared, the user's own folders stay untouched."""
    folder = tmp_path_factory.mktemp("home")
    before = os.environ.get("BACO_LOCAL_HOME")
    os.environ["BACO_LOCAL_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["BACO_LOCAL_HOME"]
    else:
        os.environ["BACO_LOCAL_HOME"] = before


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A command that is run in this process leaves handlers behind, which all later children would inherit."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def starter() -> dict[str, Path]:
    """The files of the real starter pair. The tests need it; they do not pass without."""
    for path in STARTER.values():
        assert path.exists(), f"{path} is missing: run `baco-local pull starter` first"
    return STARTER


@pytest.fixture(scope="session")
def starter_pair(starter: dict[str, Path]) -> Iterator[Any]:
    import baco_local

    with baco_local.open_pair(base=starter["base"], aligned=starter["aligned"]) as pair:
        yield pair


Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def baco() -> Run:
    """Runs `baco-local` with these arguments in a process of its own; output is bytes."""

    def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("timeout", 300)
        options["env"] = os.environ | options.pop("env", {})
        command = [sys.executable, "-P", "-m", "baco_local", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, **options)

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> list[Any]:
    """--base and --aligned of a pair that loads in no time: all words equally likely."""
    from oracle import write_model

    words = [" sea", " sun", " tide", ",", "."]
    letters = sorted({char for word in words for char in word if char.isalpha()})
    paths = [write_model(tmp_path / f"{side}.gguf", [" ", *letters, *SHORT], {}) for side in ("base", "aligned")]
    return ["--base", paths[0], "--aligned", paths[1]]


SHORT = [" a", " b", " c", "a.", ","]
