"""What scripts rely on: exit codes, bytes, JSON, and behaviour under signals. Every run is a process of its own."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from compiler import COMPILER, needs_compiler

PROMPT = "A title for a novel about tides"
FIELDS = "id index prompt text seed pair router threshold tokens base_share stop seconds".split()
TOKEN_FIELDS = "piece id speaker routed p base_top_p base_entropy".split()


@pytest.fixture(scope="session")
def files(starter: dict[str, Path]) -> list[Any]:
    return ["--base", starter["base"], "--aligned", starter["aligned"]]


def lines(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.decode().splitlines()]


def test_jsonl_has_the_fields_and_repeats_but_for_id_and_seconds(baco: Any, files: list[Any]) -> None:
    command = ["ideas", PROMPT, "-n", 4, "--seed", 7, "--max-tokens", 20, "--jsonl", "--trace", *files]
    runs = [lines(baco(*command).stdout) for _ in range(2)]
    assert list(runs[0][0]) == [*FIELDS, "trace"]
    assert list(runs[0][0]["trace"][0]) == TOKEN_FIELDS
    for records in runs:
        assert sorted(record["index"] for record in records) == [0, 1, 2, 3]
        for record in records:
            assert "".join(token["piece"] for token in record["trace"]) == record["text"]
            assert len(record["trace"]) == record["tokens"]
            for token in record["trace"]:
                assert (token["base_top_p"] is None) == (token["base_entropy"] is None) == (not token["routed"])
    for record in runs[0] + runs[1]:
        del record["id"], record["seconds"]
    assert runs[0] == runs[1]


def test_both_kernels_write_the_same(baco: Any, files: list[Any]) -> None:
    command = ["ideas", PROMPT, "-n", 3, "--seed", 7, "--max-tokens", 12, "--jsonl", *files]
    texts = [
        sorted(
            (record["index"], record["text"])
            for record in lines(baco(*command, env={"BACO_LOCAL_KERNEL": name}).stdout)
        )
        for name in ("c", "numpy")
    ]
    assert texts[0] == texts[1]


@needs_compiler
def test_who_computes_the_products_is_said_and_can_be_switched_off(baco: Any) -> None:
    found = [json.loads(baco("doctor", "--json", env=env).stdout) for env in ({}, {"BACO_LOCAL_PRODUCTS": "off"})]
    own, off = (one["llama.cpp"]["products of few rows"]["said"] for one in found)
    assert off == "llama.cpp's own (switched off)"
    assert own.startswith(
        ("baco-local's", "llama.cpp's own (no instructions", "llama.cpp's own (this llama-cpp-python")
    )


def test_json_is_one_object(baco: Any, tiny: list[Any]) -> None:
    done = baco("ideas", "x", "-n", 3, "--json", "--max-tokens", 5, *tiny)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert list(found) == [
        "prompt",
        "pair",
        "router",
        "threshold",
        "seed",
        "tokens",
        "base_share",
        "seconds",
        "variants",
    ]
    assert len(found["variants"]) == 3


def test_human_output_is_numbered_and_plain_in_a_pipe(baco: Any, files: list[Any]) -> None:
    done = baco("ideas", PROMPT, "-n", 3, "--max-tokens", 12, "--seed", 1, *files)
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert re.findall(r"^ {2}(\d)  \S", done.stdout.decode(), re.MULTILINE) == ["1", "2", "3"]
    assert re.search(rb"3 ideas, \d+ tokens in .* % by base, seed 1\n", done.stderr)


def test_a_prompt_from_stdin(baco: Any, tiny: list[Any]) -> None:
    done = baco("ideas", "-", "-n", 1, "--max-tokens", 3, "--jsonl", *tiny, stdin=None, input="Märchen\n".encode())
    assert lines(done.stdout)[0]["prompt"] == "Märchen"


def test_an_output_file(baco: Any, tiny: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "ideas.jsonl"
    done = baco("ideas", "x", "-n", 2, "--max-tokens", 3, "--jsonl", "-o", path, *tiny)
    assert (done.returncode, done.stdout) == (0, b"")
    assert len(lines(path.read_bytes())) == 2
    assert [item.name for item in tmp_path.iterdir() if "part" in item.name] == []


def on_terminal(arguments: list[Any], **environment: str) -> bytes:
    """What a command writes to stdout when stdout is a terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "baco_local", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )
    os.close(theirs)
    said = b""
    while True:
        select.select([ours], [], [], 60)
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # Linux says EIO where the other end is closed
            break
        if not part:
            break
        said += part
    child.wait(30)
    os.close(ours)
    return said.replace(b"\r\n", b"\n")


def test_a_terminal_gets_the_same_text_with_bases_words_marked(baco: Any, files: list[Any]) -> None:
    command = ["ideas", PROMPT, "-n", 2, "--max-tokens", 20, "--seed", 7, *files]
    piped, marked = baco(*command).stdout, on_terminal(command)
    assert b"\x1b[4;36m" in marked
    assert re.sub(rb"\x1b\[[\d;]*m", b"", marked) == piped
    assert on_terminal(command, NO_COLOR="1") == piped
    as_json = [*command, "--jsonl"]
    assert b"\x1b" not in on_terminal(as_json)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ideas"], 2, "Missing argument 'PROMPT'"),
        (["ideas", " "], 2, "prompt is empty"),
        (["ideas", "x", "-n", "0"], 2, "-n 0 is out of range"),
        (["ideas", "x", "-n", "1000"], 2, "1 to 500"),
        (["ideas", "x", "-n", "many"], 2, "not a valid integer"),
        (["ideas", "x", "--threshold", "1.5"], 2, "0 to 1"),
        (["ideas", "x", "--router", "h", "--threshold", "-1"], 2, "out of range"),
        (["ideas", "x", "--router", "fc", "--threshold", "0.5"], 2, "no threshold"),
        (["ideas", "x", "--router", "p-pun"], 2, "did you mean p-punc"),
        (["ideas", "x", "--threshold", "0.5", "--diversity", "0.5"], 2, "only one of"),
        (["ideas", "x", "--diversity", "2"], 2, "0 to 1"),
        (["ideas", "x", "--pair", "stater"], 2, "did you mean 'starter'"),
        (["ideas", "x", "--base", "b.gguf"], 2, "both --base and --aligned"),
        (["ideas", "x", "--trace"], 2, "--json"),
        (["ideas", "x", "--temperature", "-1"], 2, "temperature"),
        (["ideas", "x", "--tempature", "1"], 2, "No such option"),
        (["ideas", "x", "-o", "/nowhere/x"], 2, "can't be written"),
        (["ideas", "x"], 3, "baco-local pull starter"),
        (["ideas", "x", "--base", "none.gguf", "--aligned", "none.gguf"], 3, "none.gguf: no such file"),
        (["ideas", "x", "--base", ".", "--aligned", "."], 3, "is a folder"),
        (["pull", "nothing"], 2, "no pair is called 'nothing'"),
        (["dream"], 2, "No such command"),
        (["ideas", "two", "words"], 2, "goes in quotes"),
        (["ideas", "x", "-n", "1" * 400], 2, "out of range"),
    ],
)  # fmt: skip
def test_bad_input_is_one_or_two_lines_and_a_code(baco: Any, arguments: list[str], code: int, says: str) -> None:
    done = baco(*arguments)
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b""), said
    assert says in said
    assert said.startswith("baco-local: ")
    assert 1 <= len(said.splitlines()) <= 2
    assert "Traceback" not in said


def test_a_pair_without_a_template(baco: Any, tmp_path: Path) -> None:
    from oracle import write_model

    path = write_model(tmp_path / "plain.gguf", [" a", " b", "a"], {}, template=None)
    pair = ["--base", path, "--aligned", path]
    done = baco("ideas", "x", *pair)
    assert done.returncode == 2
    assert b"no chat template" in done.stderr
    assert baco("ideas", "x", "--continue", "-n", 1, "--max-tokens", 3, *pair).returncode == 0


def test_a_prompt_longer_than_the_context(baco: Any, tiny: list[Any]) -> None:
    done = baco("ideas", "-", *tiny, stdin=None, input=b"a " * 5000)
    assert done.returncode == 4
    assert b"shorten the prompt" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_truncated_model(baco: Any, tiny: list[Any]) -> None:
    path: Path = tiny[1]
    path.write_bytes(path.read_bytes()[:100_000])
    done = baco("ideas", "x", *tiny)
    assert done.returncode == 3
    assert str(path).encode() in done.stderr


def test_closed_streams(baco: Any, tiny: list[Any]) -> None:
    def closed(*descriptors: int) -> Any:
        def close() -> None:
            for descriptor in descriptors:
                os.close(descriptor)

        return close

    done = baco("ideas", "-", *tiny, preexec_fn=closed(0))
    assert done.returncode == 2
    assert b"stdin is closed" in done.stderr
    done = baco("ideas", "x", "-n", 1, "--max-tokens", 2, "--jsonl", *tiny, preexec_fn=closed(0))
    assert (done.returncode, len(lines(done.stdout))) == (0, 1)
    done = baco("ideas", "x", "-n", 1, "--max-tokens", 2, "--jsonl", *tiny, preexec_fn=closed(2))
    assert (done.returncode, len(lines(done.stdout))) == (0, 1)
    assert baco("ideas", "x", "-n", 1, *tiny, preexec_fn=closed(1)).returncode == 2


def test_a_full_disk_is_one_line(tiny: list[Any]) -> None:
    if not Path("/dev/full").exists():
        return  # only Linux has a device that is always full
    with Path("/dev/full").open("wb") as full:
        command = [
            sys.executable,
            "-P",
            "-m",
            "baco_local",
            "ideas",
            "x",
            "-n",
            "1",
            "--max-tokens",
            "2",
            *map(str, tiny),
        ]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def started(arguments: list[Any], **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "baco_local", *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def test_ctrl_c_writes_what_there_is(files: list[Any]) -> None:
    child = started(["ideas", PROMPT, "-n", 40, "--slots", 4, "--max-tokens", 40, "--jsonl", *files])
    assert child.stdout is not None
    first = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    began = time.monotonic()
    rest, said = child.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert child.returncode == 130
    records = lines(first + rest)
    assert records[0]["stop"] != "cancelled"
    assert any(record["stop"] == "cancelled" for record in records)
    assert len(records) < 40
    assert b"interrupted" in said
    assert b"Traceback" not in said


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0])
def test_ctrl_c_at_any_moment(files: list[Any], delay: float) -> None:
    child = started(["ideas", PROMPT, "-n", 8, "--max-tokens", 400, "--jsonl", *files])
    time.sleep(delay)
    child.send_signal(signal.SIGINT)
    output, said = child.communicate(timeout=30)
    # before our own code runs, Python itself dies of the signal, or says that it ignores it
    dropped = b"Exception ignored" in said
    assert child.returncode in ((130,) if delay > 0.15 else (130, 1, -signal.SIGINT, 0 if dropped else 130)), said
    lines(output)
    if delay > 0.15:
        assert b"Traceback" not in said


def test_ctrl_c_where_python_drops_exceptions_comes_again() -> None:
    """As it happened while a module was imported: its lock's callback was interrupted, and the command went on."""
    code = """
import sys, time
from baco_local import __main__

class Dropped:
    def __del__(self):
        raise KeyboardInterrupt

def code_of(arguments):
    Dropped()
    time.sleep(20)

from baco_local.cli import main
main.code_of = code_of
__main__.run()
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (130, b"")
    assert time.monotonic() - began < 15


def test_a_closed_pipe_is_quiet(files: list[Any]) -> None:
    child = started(["ideas", PROMPT, "-n", 8, "--max-tokens", 10, "--jsonl", *files])
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    said = child.stderr.read()
    assert child.wait(30) == 0
    assert b"Traceback" not in said
    assert b"BrokenPipe" not in said


def test_control_characters_never_come_out(baco: Any, tmp_path: Path) -> None:
    """A model that writes escape sequences: its text has them stripped, in every form of output."""
    from oracle import START, piece_of, write_model

    escape = "<0x1B>"
    chain = {"\n": {"a": 1.0}, "a": {escape: 1.0}, escape: {"[": 1.0}, "[": {"b": 1.0}, "b": {"": 1.0}}
    assert piece_of(START) == "\n"
    path = write_model(tmp_path / "escape.gguf", ["a", "[", "b", " "], chain)
    for form in ([], ["--json", "--trace"], ["--jsonl"]):
        done = baco("ideas", "x", "-n", 1, "--router", "aligned", "--base", path, "--aligned", path, *form)
        assert done.returncode == 0
        assert b"a[b" in done.stdout
        assert b"\x1b" not in done.stdout
        assert b"\\u001b" not in done.stdout


def test_models_and_doctor_speak_json_and_text(baco: Any) -> None:
    text = baco("models").stdout.decode()
    assert "starter: not here yet" in text
    assert "get one with: baco-local pull NAME" in text
    listed = json.loads(baco("models", "--json").stdout)
    assert listed["pairs"][0]["name"] == "starter"
    found = json.loads(baco("doctor", "--json").stdout)
    assert found["llama.cpp"]["llama-cpp-python"]["said"].startswith("0.3.")
    assert found["program"]["kernel"]["verdict"] == ("ok" if COMPILER else "slow")
    assert found["pairs"]["models"] == {
        "said": "no pair is here yet",
        "verdict": "missing",
        "mend": "baco-local pull starter",
    }
    assert "llama.cpp" in baco("doctor").stdout.decode()


def test_help_and_version(baco: Any) -> None:
    for arguments in (["--help"], ["ideas", "--help"], ["pull", "-h"], ["--version"]):
        done = baco(*arguments)
        assert done.returncode == 0
        assert done.stdout
        assert done.stderr == b""


def test_an_output_that_is_no_plain_file_stays_what_it_is(baco: Any, tiny: list[Any], tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("old")
    link.symlink_to(target)
    command = ["ideas", "x", "-n", 1, "--max-tokens", 2, "--jsonl", *tiny, "-o"]
    assert baco(*command, link).returncode == 0
    assert link.is_symlink()
    assert len(lines(target.read_bytes())) == 1
    done = baco(*command, "/dev/stdout")
    assert len(lines(done.stdout)) == 1
    assert baco(*command, "/dev/null").returncode == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("option", "environment"),
    [(["--base", "~nobody-here/a", "--aligned", "b"], {}), ([], {"BACO_LOCAL_HOME": "~nobody-here/x"})],
)
def test_a_home_that_does_not_exist(baco: Any, option: list[str], environment: dict[str, str]) -> None:
    done = baco("ideas", "x", *option, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(b"baco-local: ")
    assert len(done.stderr.splitlines()) == 1


def test_without_arguments_it_explains_itself(baco: Any) -> None:
    done = baco()
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Usage: baco-local")


@pytest.mark.parametrize("way", ["cause", "context"])
def test_a_ctrl_c_that_a_library_made_something_else_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    """A class that is half made, or a thread that is half started, says RuntimeError."""
    from baco_local.cli import main

    def invoke(_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            if way == "cause":
                raise RuntimeError("half made") from error
            raise RuntimeError("half started")  # noqa: B904

    monkeypatch.setattr(main.signal, "signal", lambda *_: None)
    monkeypatch.setattr(main.cli, "invoke", invoke)
    assert main.run(["doctor"]) == 130
    assert capsys.readouterr().err == "baco-local: interrupted\n"
