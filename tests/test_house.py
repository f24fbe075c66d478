"""The plan of the house: which room may import what, and that nothing heavy loads early."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "baco_local"
DESK = Path(__file__).parent.parent / "tui"


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


def test_the_desk_stands_on_the_rooms_and_nothing_stands_on_it() -> None:
    for path in DESK.rglob("*.py"):
        imports = set(re.findall(r"^\s*(?:from|import) +([\w.]+)", path.read_text(), re.MULTILINE))
        assert not {
            name for name in imports if re.match(r"llama_cpp|baco_local\.(cli|runtime|native\.kernel)", name)
        }, path
    for path in PACKAGE.rglob("*.py"):
        assert path.name == "tui.py" or "baco_local.tui" not in path.read_text(), path


def test_what_can_be_done_at_the_desk_needs_no_screen() -> None:
    for name in ("studio", "flow", "desk", "scribe", "output", "pulling", "terminal"):
        assert "textual" not in loaded(f"import baco_local.tui.{name}"), name


def test_every_screen_has_a_stylesheet_beside_it() -> None:
    screens = {path.stem for path in (DESK / "screens").glob("*.py")} - {"__init__", "answering", "choosing"}
    assert {path.stem for path in (DESK / "screens").glob("*.tcss")} == screens


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
    for path in [*PACKAGE.rglob("*.py"), *DESK.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path
