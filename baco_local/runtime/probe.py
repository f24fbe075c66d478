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
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from baco_local import paths, template
from baco_local.catalog.facts import header_of
from baco_local.errors import ModelProblem, Problem, RoomProblem
from baco_local.runtime import machine
from baco_local.runtime.llama import REBUILD
from baco_local.runtime.vocabulary import cache_key
from baco_local.text import one_line

PATIENCE = 900  # seconds for the child: a large model on a slow disk
FORMAT = 3  # of the remembered verdicts
# For one short conversation: seconds, bytes of memory, characters. Real templates take milliseconds.
TEMPLATE_SECONDS, TEMPLATE_BYTES, TEMPLATE_LENGTH = 5, 1 << 29, 1 << 17
CRASHES = {-number for name in ("SIGABRT", "SIGSEGV", "SIGFPE") if (number := getattr(signal, name, 0))}
CRASHES |= {3, 0xC0000005, 0xC0000409, 0xC00000FD} if os.name == "nt" else set()  # abort, access, C++ exceptions, stack
ILLEGAL = 0xC000001D if os.name == "nt" else -signal.SIGILL
ENDLESS = 77  # the child's own code where there is no alarm
# Of a disk that went away, a closed terminal: neither says anything about the file.
OTHERS_FAULT = {-number for name in ("SIGBUS", "SIGHUP") if (number := getattr(signal, name, 0))}
# Every byte that UTF-8 uses: a vocabulary that lacks one throws when it meets it.
ALPHABET = "".join(map(chr, [*range(1, 0x800), *range(0x800, 0xD800, 61), *range(0xE000, 0x110000, 997)]))


def check(path: Path, lora: Path | None = None) -> None:
    """Raises ModelProblem, in one line, for a model, or an adapter over it, that can't be used."""
    check_all([(path, lora)])


def check_all(models: Sequence[tuple[Path, Path | None]]) -> None:
    """`check` of each, side by side."""
    listed = [[path, lora] if lora else [path] for path, lora in models]
    for files in listed:
        for file in files:
            header_of(file)
    known = read_verdicts()
    asked = {"+".join(map(cache_key, files)): files for files in listed}
    unknown = {key: files for key, files in asked.items() if key not in known}
    verdicts = known | (ask_all(unknown) if unknown else {})
    remember({key: verdicts[key] for key in unknown if not verdicts[key].get("passing")})
    for key, files in asked.items():
        if not verdicts[key].get("usable"):
            raise ModelProblem(f"{files[-1]}: {verdicts[key].get('problem')}")


def ask_all(asked: dict[str, list[Path]]) -> dict[str, dict[str, Any]]:
    """Verdicts, each from a process of its own; none of these outlives a Ctrl-C."""
    children: list[subprocess.Popen[bytes]] = []
    with ThreadPoolExecutor(len(asked)) as pool:
        found = {key: pool.submit(ask_child, files, children) for key, files in asked.items()}
        try:
            return {key: future.result() for key, future in found.items()}
        finally:
            for child in children:
                child.kill()


def remember(verdicts: dict[str, Any]) -> None:
    if not verdicts:
        return
    # another run may have written meanwhile
    content = {"format": FORMAT, "files": read_verdicts() | verdicts}
    with contextlib.suppress(OSError):
        paths.write_atomically(paths.made("cache") / "verdicts.json", json.dumps(content, indent=1).encode())


def read_verdicts() -> dict[str, dict[str, Any]]:
    """Verdicts by file; none for what another version, or an accident, left there."""
    try:
        content = json.loads(paths.read_cache("verdicts.json"))
        files = content["files"] if content["format"] == FORMAT else {}
        return {
            key: verdict
            for key, verdict in files.items()
            if isinstance(verdict.get("problem"), str) or verdict.get("usable") is True
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def ask_child(files: Sequence[Path], children: list[subprocess.Popen[bytes]]) -> dict[str, Any]:
    """{"usable": True} or {"problem": …}; with "passing" where another time may go better."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", "baco_local.runtime.probe", *map(str, files)]
    try:
        pipe, none = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, stdin=none, stdout=pipe, stderr=pipe, env=environment) as child:
            children.append(child)
            try:
                out, err = child.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
    except subprocess.TimeoutExpired:
        return {
            "problem": f"llama.cpp was still opening it after {PATIENCE // 60} minutes; use a smaller file",
            "passing": True,
        }
    except OSError as error:
        raise Problem(f"could not start a process to check {files[-1]}: {error}") from None
    with contextlib.suppress(ValueError, IndexError):
        verdict = json.loads(out.splitlines()[-1])
        if isinstance(verdict, dict) and child.returncode == 0:
            return verdict
    if child.returncode in (-signal.SIGINT, -signal.SIGTERM):
        raise KeyboardInterrupt
    if child.returncode == -getattr(signal, "SIGKILL", signal.SIGTERM):
        return {"problem": "the system ended the process that opened it: probably not enough memory", "passing": True}
    if child.returncode == ILLEGAL:
        return {
            "problem": f"llama.cpp was built for another CPU (illegal instruction)\nreinstall it for this machine: {REBUILD}",
            "passing": True,
        }
    if child.returncode in OTHERS_FAULT:
        return {
            "problem": f"llama.cpp could not run here (signal {-child.returncode}); see: baco-local doctor",
            "passing": True,
        }
    if child.returncode == (-signal.SIGALRM if hasattr(signal, "SIGALRM") else ENDLESS):
        return {"problem": "its chat template does not end; use another file"}
    said = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    reasons = [line for line in said if "what()" in line or "GGML_ASSERT" in line or "Error" in line] or said
    reason = one_line(reasons[-1]) if reasons else f"exit status {child.returncode}"
    crashed = child.returncode in CRASHES
    return {
        "problem": f"llama.cpp can't open it without crashing ({reason}); the file is damaged or unsupported",
        "passing": not crashed,  # what isn't a crash of llama.cpp may be anything
    }


def examine(path: Path, lora: Path | None = None) -> dict[str, Any]:
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
            adapter = model.adapter(lora) if lora else None
            context = Context(model, 1, 64, threads=1, work=Work(), adapter=adapter)
            try:
                rows = context.evaluate([Span(0, 0, tokens)])
                if not (rows == rows).all():
                    return {"problem": "computes no numbers (NaN), so the file is damaged; download it again"}
            finally:
                context.close()
            adapters = header_of(lora).values.get("tokenizer.chat_template") if lora else None
            templates = [found for found in (adapters, model.chat_template) if isinstance(found, str)]
            return check_template(templates[0]) if templates else {"usable": True}
    except RoomProblem as problem:
        return {"problem": unnamed(problem, path, lora), "passing": True}
    except Problem as problem:
        return {"problem": unnamed(problem, path, lora), "passing": "llama-cpp-python" in str(problem)}


def check_template(text: str) -> dict[str, Any]:
    """One that fails is told when it is used; one that never ends, or fills the memory, must not be used at all."""
    if hasattr(signal, "SIGALRM"):
        signal.alarm(TEMPLATE_SECONDS)  # ends this process, which the parent understands
    else:
        watch = threading.Timer(TEMPLATE_SECONDS, os._exit, (ENDLESS,))
        watch.daemon = True
        watch.start()
    if used := machine.virtual_memory():
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (used + TEMPLATE_BYTES,) * 2)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    for attempt in (messages, messages[1:]):
        try:
            if len(template.render(text, attempt, "<s>", "</s>")) > TEMPLATE_LENGTH:
                return {"problem": "its chat template makes far too long a prompt; use another file"}
            break
        except MemoryError:
            return {"problem": "its chat template fills the memory; use another file"}
        except template.TemplateProblem as problem:
            for says in ("fills the memory", "does not end"):
                if says in str(problem).replace("MemoryError", "fills the memory"):
                    return {"problem": f"its chat template {says}; use another file"}
    return {"usable": True}


def unnamed(problem: Problem, *files: Path | None) -> str:
    """Its message, which will be given the name of the file again."""
    said = str(problem)
    for file in files:
        said = said.removeprefix(f"{file}: ")
    return said


if __name__ == "__main__":
    print(json.dumps(examine(*map(Path, sys.argv[1:]))))
