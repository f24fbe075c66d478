"""The manual page: every command and option is in it, and roff takes it."""

import shlex
import shutil
import subprocess
from typing import Any

import click

from baco_local.cli.main import cli
from baco_local.cli.manual import CODES, described, roff
from baco_local.errors import ModelProblem, Problem, RoomProblem, UsageProblem


def test_every_command_and_option_is_in_it(baco: Any) -> None:
    done = baco("manual")
    assert (done.returncode, done.stderr) == (0, b"")
    page = done.stdout.decode()
    names = [name for name, _ in described(cli, "baco-local")]
    assert "baco-local models add" in names
    for name, command in described(cli, "baco-local"):
        assert f".SS {roff(name)}" in page
        for parameter in command.params:
            for option in [option for option in parameter.opts if option.startswith("--")]:
                assert roff(option) in page, (name, option)
    if shutil.which("man"):
        formatted = subprocess.run(["man", "--warnings", "-l", "-"], input=done.stdout, capture_output=True, timeout=60)
        assert formatted.returncode == 0
        assert formatted.stderr == b""


def test_every_command_has_examples_that_it_understands() -> None:
    every = dict(described(cli, "baco-local")) | {"baco-local": cli}
    for name, command in every.items():
        if command is cli:
            continue
        lines = (command.epilog or "").splitlines()[2:]
        assert any(line.strip().startswith(name) or line.strip() == "baco-local" for line in lines), name
        for part in [part for line in lines for part in line.split("|") if "baco-local " in f"{part} "]:
            words = shlex.split(part.partition(">")[0])
            called = max((one for one in every if words[: len(one.split())] == one.split()), key=len)
            arguments = words[len(called.split()) :]
            parsed, *_ = every[called].make_parser(click.Context(every[called], info_name=called)).parse_args(arguments)
            needed = [one for one in every[called].params if isinstance(one, click.Argument) and one.required]
            assert all(parsed.get(one.name) for one in needed), part


def test_the_codes_are_the_errors() -> None:
    assert set(CODES) == {0, 130} | {kind.exit_code for kind in (Problem, UsageProblem, ModelProblem, RoomProblem)}


def test_help_is_no_roff() -> None:
    assert roff(".TH 'x' \\fB --a-b `c`") == "\\&.TH \\(aqx\\(aq \\efB \\-\\-a\\-b \\(gac\\(ga"


def test_shells_complete_commands_and_options(baco: Any) -> None:
    script = baco(env={"_BACO_LOCAL_COMPLETE": "bash_source"})
    assert b"complete -o nosort -F _baco_local_completion baco-local" in script.stdout
    given = {"_BACO_LOCAL_COMPLETE": "bash_complete", "COMP_WORDS": "baco-local swe", "COMP_CWORD": "1"}
    assert baco(env=given).stdout == b"plain,sweep\n"
