"""Whether a pair fits, told beforehand: held to what processes occupy, and with a way out that is one."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import memory
import pytest

from baco_local import fit
from baco_local.catalog.examine import examine
from baco_local.catalog.given import given_entry
from baco_local.cli.main import code_of
from baco_local.collaboration.settings import Request
from baco_local.errors import RoomProblem
from baco_local.runtime import footprint, machine

REQUEST = Request("Names for a boat", n=16, max_tokens=96)


@pytest.fixture(scope="module")
def needs(starter: dict[str, Path]) -> fit.Needs:
    entry = given_entry(base=starter["base"], aligned=starter["aligned"])
    assert entry
    found = fit.needs_of(examine(entry))
    assert found
    return found


@pytest.mark.parametrize("ideas", [1, 32])
def test_the_estimate_is_what_a_process_occupies(needs: fit.Needs, starter: dict[str, Path], ideas: int) -> None:
    estimate = needs.of(memory.request_for(ideas)).resident + footprint.PROGRAM
    found = memory.measured({side: str(path) for side, path in starter.items()}, ideas)
    assert abs(estimate / found - 1) < 0.15


def free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(machine, "memory", lambda: (32 << 30, size))


def wanted(needs: fit.Needs, request: Request, cache_type: str = "f16") -> int:
    return needs.of(request, cache_type).needed + footprint.PROGRAM


def test_what_is_proposed_fits_and_one_more_does_not(needs: fit.Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    large = replace(REQUEST, max_tokens=1500)
    room = (wanted(needs, replace(large, n=1)) + wanted(needs, large)) // 2
    free(monkeypatch, room)
    with pytest.raises(RoomProblem) as caught:
        fit.check("mine", needs, large)
    first, second = str(caught.value).split("\n")
    assert first.startswith("mine needs ")
    assert "for 16 ideas of up to 1500 tokens at once" in first
    slots = fit.largest_slots(needs, large, "f16", room - footprint.PROGRAM)
    tokens = fit.largest_tokens(needs, large, "f16", room - footprint.PROGRAM)
    assert f"--slots {slots} or --max-tokens {tokens}; --force" in second
    for fitting in (replace(large, slots=slots), replace(large, max_tokens=tokens)):
        fit.check("mine", needs, fitting)
    for more in (replace(large, slots=slots + 1), replace(large, max_tokens=tokens + 1)):
        with pytest.raises(RoomProblem):
            fit.check("mine", needs, more)


def test_a_smaller_cache_is_proposed_where_it_helps(needs: fit.Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    large = replace(REQUEST, max_tokens=1500)
    free(monkeypatch, wanted(needs, large, "q8_0"))
    with pytest.raises(RoomProblem, match="fits with --cache-type q8_0 or --slots"):
        fit.check("mine", needs, large)
    fit.check("mine", needs, large, cache_type="q8_0")


def test_two_settings_together_are_proposed_where_one_does_not_do(
    needs: fit.Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = Request("Names for a boat", n=64, slots=64, max_tokens=8000)
    free(monkeypatch, 650 << 20)
    with pytest.raises(RoomProblem) as caught:
        fit.check("mine", needs, large)
    found = re.search(r"it fits with --slots (\d+) --max-tokens (\d+); --force", str(caught.value))
    assert found
    fit.check("mine", needs, replace(large, slots=int(found[1]), max_tokens=int(found[2])))


def test_a_container_has_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in (
        ("max", "1000000000"),
        ("current", "700000000"),
        ("stat", "inactive_file 50000000\nactive_file 0\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    assert machine.limited(64 << 30, 60 << 30) == (1_000_000_000, 350_000_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.limited(64 << 30, 60 << 30) == (64 << 30, 60 << 30)


def test_where_the_weights_alone_do_not_fit(needs: fit.Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 300 << 20)
    with pytest.raises(RoomProblem, match=r"its models alone need 0\.4 GB; choose a smaller pair"):
        fit.check("mine", needs, REQUEST)


def test_a_machine_that_does_not_say_is_not_refused(needs: fit.Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: None)
    fit.check("mine", needs, replace(REQUEST, max_tokens=8000, n=64, slots=64))


def test_the_command_refuses_and_can_be_forced(
    tiny: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free(monkeypatch, 10 << 20)
    command = ["ideas", "x", "-n", "1", "--max-tokens", "4", *map(str, tiny)]
    assert code_of(command) == 4
    assert "base+aligned needs" in capsys.readouterr().err


def test_the_command_can_be_forced(baco: Any, tiny: list[Any]) -> None:
    assert baco("ideas", "x", "-n", 1, "--max-tokens", 4, "--force", *tiny).returncode == 0


def test_an_open_pair_refuses_what_has_no_room_any_more(starter_pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    list(starter_pair.session(replace(REQUEST, n=2, max_tokens=4)).events())
    free(monkeypatch, 20 << 20)
    list(starter_pair.session(replace(REQUEST, n=2, max_tokens=4)).events())  # its caches are there already
    with pytest.raises(RoomProblem, match="more of memory for 64 ideas of up to 2000 tokens"):
        starter_pair.session(Request("x", n=64, slots=64, max_tokens=2000))


def test_a_pair_of_the_catalogue_is_told_before_it_is_here() -> None:
    from baco_local.catalog.reading import read_file, shipped_file

    for pair in read_file(shipped_file()).pairs.values():
        found = fit.needs_by_catalogue(pair)
        assert found
        sizes = sum(file.exact_size or file.about or 0 for file in pair.files.values())
        assert sizes < found.of(REQUEST).needed < 2 * sizes


def test_the_catalogue_knows_the_starter_as_its_files_do(needs: fit.Needs) -> None:
    from baco_local.catalog.reading import read_file, shipped_file

    found = fit.needs_by_catalogue(read_file(shipped_file()).pairs["starter"])
    assert found
    assert found.shapes == tuple(replace(shape, head=0) for shape in needs.shapes)
    assert abs(found.of(REQUEST).needed / needs.of(REQUEST).needed - 1) < 0.1
