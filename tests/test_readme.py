"""README.md says what is true: its commands exist, its Python runs, its tables are the code's."""

import re
import subprocess
from pathlib import Path
from typing import Any

from baco_local.cli.main import cli
from baco_local.collaboration.routers import DEFAULT, ROUTERS
from baco_local.errors import ModelProblem, Problem, RoomProblem, UsageProblem

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_commands_and_options_exist() -> None:
    for block in [*blocks("sh"), *blocks("console")]:
        for name, rest in re.findall(r"baco-local ([a-z]+)([^\n&|#]*)", block):
            known = {option for parameter in cli.commands[name].params for option in parameter.opts}
            outside = re.sub(r'"[^"]*"', "", rest)
            assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", outside)) <= known, rest


def test_the_python_block_runs(starter: dict[str, Path]) -> None:
    import baco_local
    from baco_local import open_pair

    [code] = blocks("python")
    said: list[str] = []

    def opened(_: str) -> Any:
        return open_pair(base=starter["base"], aligned=starter["aligned"])

    before = baco_local.__dict__.get("open_pair")
    baco_local.open_pair = opened  # type: ignore[attr-defined]
    try:
        exec(code, {"print": said.append})
    finally:
        if before is None:
            del baco_local.open_pair  # type: ignore[attr-defined]
        else:
            baco_local.open_pair = before  # type: ignore[attr-defined]
    assert len(said) == 4
    assert all(re.match(r"\d+% base: ", line) for line in said)


def test_every_router_is_in_the_table() -> None:
    table = README[README.index("| router |") : README.index("`--diversity` from 0 to 1")]
    assert set(re.findall(r"`([a-z-]+)`", table)) == set(ROUTERS)
    assert f"`{DEFAULT}` (default, {ROUTERS[DEFAULT].default})" in table


def test_exit_codes_are_the_codes() -> None:
    table = README[README.index("| code |") : README.index("## Speed")]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert codes == {0, 130} | {kind.exit_code for kind in (Problem, UsageProblem, ModelProblem, RoomProblem)}


def test_ci_runs_the_test_block() -> None:
    script = ROOT / ".ci" / "run"
    extract = re.search(r"^block=.*$", script.read_text(), re.MULTILINE)
    assert extract
    done = subprocess.run(
        ["bash", "-c", f'{extract.group()}; printf "%s\\n" "$block"'], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == blocks("sh")[1]
    assert done.stdout.endswith("pytest\n")
