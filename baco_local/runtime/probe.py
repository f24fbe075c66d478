"""Opens a file never seen before in a child process, because llama.cpp may end the process that opens it.

A malformed vocabulary, for one, throws a C++ exception that nothing catches. The verdict is
remembered by path, size and modification time.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from baco_local import paths
from baco_local.errors import ModelProblem, Problem, RoomProblem
from baco_local.runtime.vocabulary import cache_key
from baco_local.text import one_line

PATIENCE = 900  # seconds for the child: a large model on a slow disk
FORMAT = 1  # of the remembered verdicts
# Every byte that UTF-8 uses: a vocabulary that lacks one throws when it meets it.
ALPHABET = "".join(map(chr, [*range(1, 0x800), *range(0x800, 0xD800, 61), *range(0xE000, 0x110000, 997)]))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a usable file says of itself. n_ctx_train in tokens, size in bytes."""

    description: str
    name: str
    licence: str
    n_vocab: int
    n_ctx_train: int
    has_template: bool
    recurrent: bool
    size: int


def check_header(path: Path) -> None:
    """Raises ModelProblem for what can be told without llama.cpp."""
    if path.is_dir():
        raise ModelProblem(f"{path}: is a folder; give the GGUF file inside it")
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except FileNotFoundError:
        raise ModelProblem(f"{path}: no such file") from None
    except OSError as error:
        raise ModelProblem(f"{path}: can't be read ({error.strerror})") from None
    if magic[:4] != b"GGUF":
        what = "is empty" if not magic else "is not a GGUF file"
        raise ModelProblem(f"{path}: {what}; download it again, or give another file")
    if len(magic) < 8 or magic[4:] == bytes(4):
        raise ModelProblem(f"{path}: is cut short or damaged; download it again")


def facts(path: Path) -> Facts:
    """What the file at `path` is. Raises ModelProblem, in one line, for one that can't be used."""
    check_header(path)
    verdicts = read_verdicts()
    key = cache_key(path)
    verdict = verdicts.get(key) or ask_child(path)
    try:
        found = verdict["problem"] if "problem" in verdict else Facts(**verdict["facts"])
    except (KeyError, TypeError):
        raise Problem(f"{paths.folder('cache') / 'verdicts.json'}: is damaged; remove it") from None
    if key not in verdicts and not verdict.get("passing"):
        content = {
            "format": FORMAT,
            "files": read_verdicts() | {key: verdict},
        }  # another run may have written meanwhile
        with contextlib.suppress(OSError):
            paths.write_atomically(paths.made("cache") / "verdicts.json", json.dumps(content, indent=1).encode())
    if isinstance(found, Facts):
        return found
    raise ModelProblem(f"{path}: {found}")


def facts_of_both(base: Path, aligned: Path) -> tuple[Facts, Facts]:
    check_header(base)
    check_header(aligned)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(facts, base), pool.submit(facts, aligned)
        return one.result(), two.result()


def read_verdicts() -> dict[str, dict[str, Any]]:
    """Verdicts by file; none for what another version, or an accident, left there."""
    try:
        content = json.loads((paths.folder("cache") / "verdicts.json").read_bytes())
        files = content["files"] if content["format"] == FORMAT else {}
        fields = set(Facts.__dataclass_fields__)
        return {
            key: verdict
            for key, verdict in files.items()
            if isinstance(verdict.get("problem"), str) or set(verdict.get("facts", ())) == fields
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def ask_child(path: Path) -> dict[str, Any]:
    """{"facts": …} or {"problem": …}; with "passing" where another time may go better."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", "baco_local.runtime.probe", str(path)]
    try:
        child = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, env=environment
        )
    except subprocess.TimeoutExpired:
        return {
            "problem": f"llama.cpp was still opening it after {PATIENCE // 60} minutes; use a smaller file",
            "passing": True,
        }
    except OSError as error:
        raise Problem(f"could not start a process to check {path}: {error}") from None
    with contextlib.suppress(ValueError, IndexError):
        verdict = json.loads(child.stdout.splitlines()[-1])
        if isinstance(verdict, dict) and child.returncode == 0:
            return verdict
    if child.returncode in (-signal.SIGINT, -signal.SIGTERM):
        raise KeyboardInterrupt
    if child.returncode == -getattr(signal, "SIGKILL", signal.SIGTERM):
        return {"problem": "the system ended the process that opened it: probably not enough memory", "passing": True}
    said = [line for line in child.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    reasons = [line for line in said if "what()" in line or "GGML_ASSERT" in line or "Error" in line] or said
    reason = one_line(reasons[-1]) if reasons else f"exit status {child.returncode}"
    return {"problem": f"llama.cpp can't open it without crashing ({reason}); the file is damaged or unsupported"}


def examine(path: Path) -> dict[str, Any]:
    """Runs in the child: load, tokenise, evaluate."""
    from baco_local.runtime.context import Context
    from baco_local.runtime.model import Model
    from baco_local.runtime.spans import Span, Work

    try:
        with Model(path, gpu_layers=0) as model:
            vocabulary = model.vocabulary
            tokens = vocabulary.tokenize(b"It was a") or [0]
            vocabulary.tokenize(ALPHABET.encode(), parse_special=True)
            vocabulary.text_of(vocabulary.bos), vocabulary.text_of(vocabulary.eos)
            context = Context(model, 1, 64, threads=1, work=Work())
            try:
                rows = context.evaluate([Span(0, 0, tokens)])
                if not (rows == rows).all():
                    return {"problem": "computes no numbers (NaN), so the file is damaged; download it again"}
            finally:
                context.close()
            found = Facts(
                description=model.description,
                name=one_line(model.metadata("general.name") or path.stem),
                licence=one_line(model.metadata("general.license") or "not stated"),
                n_vocab=vocabulary.n_tokens,
                n_ctx_train=model.n_ctx_train,
                has_template=model.chat_template is not None,
                recurrent=model.recurrent,
                size=path.stat().st_size,
            )
            return {"facts": asdict(found)}
    except RoomProblem as problem:
        return {"problem": str(problem).removeprefix(f"{path}: "), "passing": True}
    except Problem as problem:
        return {"problem": str(problem).removeprefix(f"{path}: "), "passing": "llama-cpp-python" in str(problem)}


if __name__ == "__main__":
    print(json.dumps(examine(Path(sys.argv[1]))))
