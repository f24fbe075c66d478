"""README.md says what is true: its commands exist, its Python runs, its tables are the code's."""

import re
import subprocess
from pathlib import Path
from typing import Any

import click

from baco_local import fit
from baco_local.catalog.reading import read_file, shipped_file
from baco_local.checkup.describe import memory
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
            command = cli.commands[name]
            if isinstance(command, click.Group) and rest.split()[:1]:
                command = command.commands[rest.split()[0]]
            known = {option for parameter in command.params for option in parameter.opts}
            outside = re.sub(r'"[^"]*"', "", rest)
            assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", outside)) <= known, rest


def test_the_python_block_runs(starter: dict[str, Path]) -> None:
    import baco_local
    from baco_local import open_pair

    [code] = [block for block in blocks("python") if "open_pair" in block]
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


def test_the_librarys_python_block_runs(home: Path) -> None:
    from baco_local.library import Library

    [code] = [block for block in blocks("python") if "Library" in block]
    with Library() as library:
        name, recorder = library.record("Names for a boat", {})
        recorder.close()
    said: list[tuple[Any, ...]] = []
    exec(code, {"print": lambda *parts: said.append(parts)})
    assert ("Names for a boat", []) in said
    with Library() as library:
        library.remove(name, purge=True)


def test_every_router_is_in_the_table() -> None:
    table = README[README.index("| router |") : README.index("`--diversity` from 0 to 1")]
    assert set(re.findall(r"`([a-z-]+)`", table)) == set(ROUTERS)
    assert f"`{DEFAULT}` (default, {ROUTERS[DEFAULT].default})" in table


def test_the_table_of_pairs_is_the_catalogue() -> None:
    table = README[README.index("| pair | for |") : README.index("Only the starter's files")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    expected = []
    for pair in read_file(shipped_file()).pairs.values():
        needs = fit.needs_by_catalogue(pair)
        assert needs
        sizes = [file.exact_size or file.about or 0 for file in pair.files.values()]
        found = memory(needs) or {}
        expected.append([f"`{pair.name}`", pair.whom, fit.gigabytes(sum(sizes)), fit.gigabytes(found["16"])])
    assert [row[:4] for row in rows] == expected


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


def test_the_keys_are_the_desks() -> None:
    from baco_local.tui.keys import ACTS, EVERYWHERE, shown

    rows = re.findall(r"^\| (`.*`) \| `(\w+)` \| (.*) \|$", README, re.MULTILINE)
    expected = [
        (" ".join(f"`{key}`" for key in shown(act.keys).split(", ")), act.name, act.help)
        for act in (*ACTS, *EVERYWHERE)
    ]
    assert [row for row in rows if row[1] in {name for _, name, _ in expected}] == expected


def test_the_preferences_of_the_desk_are_right(tmp_path: Path, monkeypatch: Any) -> None:
    from baco_local import preferences
    from baco_local.tui.start import checked

    [block] = [block for block in blocks("toml") if "[tui]" in block]
    monkeypatch.setenv("BACO_LOCAL_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(block)
    found = checked(preferences.read().desk)
    assert (found.theme, found.plain, dict(found.keys)) == ("baco-light", True, {"star": "k,ctrl+s"})


def test_the_pictures_are_there() -> None:
    for picture in re.findall(r'(?:src|srcset)="([^"]+)"', README):
        assert (ROOT / picture).exists(), picture
