"""The plan of the house: which room may import what, and that nothing heavy loads early."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "baco_local"


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_command_line_starts_light() -> None:
    modules = loaded("from baco_local.cli.main import cli")
    assert not modules & {"numpy", "llama_cpp", "rich", "huggingface_hub", "jinja2", "textual", "platformdirs"}


def test_the_collaboration_knows_nothing_of_files_screens_or_llama_cpp() -> None:
    modules = loaded("import baco_local.collaboration.session")
    assert not modules & {"llama_cpp", "click", "rich", "textual", "sqlite3", "baco_local.catalog", "baco_local.cli"}


def test_only_the_runtime_imports_llama_cpp_and_nothing_textual() -> None:
    for path in PACKAGE.rglob("*.py"):
        imports = re.findall(r"^\s*(?:from|import) +([\w.]+)", path.read_text(), re.MULTILINE)
        room = path.relative_to(PACKAGE).parts[0]
        assert room == "runtime" or not any(name.split(".")[0] == "llama_cpp" for name in imports), path
        assert not any(name.split(".")[0] == "textual" for name in imports), path


def test_arrows_point_one_way() -> None:
    order = ["catalog", "native", "runtime", "collaboration", "library", "checkup", "lab", "cli"]
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        if room not in order:
            continue
        above = order[order.index(room) + 1 :]
        imports = re.findall(r"^\s*from baco_local\.(\w+)", path.read_text(), re.MULTILINE)
        assert not set(imports) & set(above), path


def test_files_fit_in_a_head() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path
