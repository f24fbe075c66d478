"""A sweep: ideas for every prompt under every method and setting, in one file of JSON lines that can be gone on with.

Its first line says what it is made of; then come the ideas, prompt by prompt, setting by setting. All ideas of a prompt are
written in one session, each steered in its own way, so that the batches stay full. A prompt is written whole or not at all,
and begins as if it were the first: so a sweep that was broken off anywhere ends up the same file as one that wasn't.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from baco_local import paths
from baco_local.collaboration.engine import Engine
from baco_local.collaboration.events import Ended, Failed, Summary
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import MAX_VARIANTS, Request
from baco_local.collaboration.variant import Beginning, Variant
from baco_local.errors import Problem, UsageProblem
from baco_local.lab.grid import Setting
from baco_local.lab.prompts import Prompt
from baco_local.lab.swept import FORM, idea_of, whole
from baco_local.origin import same_files, told


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep is made of. request: of every prompt, but for the prompt itself; its n is what one setting has. files: what
    tells the pair from others (see `origin.files_of`). cache_type: how the models keep what they read."""

    prompts: tuple[Prompt, ...]
    settings: tuple[Setting, ...]
    request: Request
    pair: str
    files: Mapping[str, Any]
    cache_type: str = "f16"

    @property
    def blocks(self) -> list[tuple[Prompt, tuple[Setting, ...]]]:
        """What is written in one session, and kept together or not at all."""
        many = max(1, MAX_VARIANTS // self.request.n)
        parts = [self.settings[at : at + many] for at in range(0, len(self.settings), many)]
        return [(prompt, part) for prompt in self.prompts for part in parts]

    @property
    def ideas(self) -> int:
        return len(self.prompts) * len(self.settings) * self.request.n

    def header(self) -> dict[str, Any]:
        files = {side: told(facts) for side, facts in self.files.items()}
        options = {
            name: getattr(self.request, name) for name in ("max_tokens", "seed", "system", "mode", "first", "slots")
        }
        options["cache_type"] = self.cache_type
        return {
            "sweep": FORM,
            "pair": self.pair,
            "files": files,
            "k": self.request.n,
            "options": options,
            "settings": [
                {
                    "method": one.method,
                    "value": one.value,
                    "router": one.steering.router,
                    "threshold": one.steering.threshold,
                    "sampling": asdict(one.steering.sampling),
                }
                for one in self.settings
            ],
            "prompts": [prompt.record() for prompt in self.prompts],
        }


def write(plan: Plan, engine: Engine, file: BinaryIO, done: int, stopped: threading.Event) -> Iterator[bool]:
    """Writes the blocks from number `done` on; gives False for each idea as it ends, True once its block is in the file.
    stopped: once it is set, the block that is being written is dropped. Raises the session's problem, or a Problem where
    another program changes the file."""
    for number, (prompt, settings) in list(enumerate(plan.blocks))[done:]:
        if stopped.is_set():
            return
        engine.forget()
        beginnings = [Beginning(steering=one.steering) for one in settings for _ in range(plan.request.n)]
        # seeds differ by block, so that two settings of one prompt that are in different ones share no draws
        request = replace(
            plan.request, prompt=prompt.prompt, n=len(beginnings), seed=seed_of(plan.request.seed, prompt, number)
        )
        session = Session(engine, request, None, beginnings)
        found: dict[int, Variant] = {}
        session.start()
        try:
            over = False
            while not over:
                for event in session.poll(0.1):
                    if isinstance(event, Failed):
                        raise event.problem
                    if isinstance(event, Ended):
                        found[event.variant.index] = event.variant
                        yield False
                    over = isinstance(event, Summary)
                if stopped.is_set() and not over:
                    return
        finally:
            session.stop()
            session.join()
        lines = [
            line(prompt, settings[index // plan.request.n], found[index], plan.request.n) for index in sorted(found)
        ]
        if len(lines) != len(beginnings):
            raise Problem(f"{prompt.id}: {len(lines)} of {len(beginnings)} ideas came; run it again to go on")
        if not in_place(file):
            raise Problem(f"{file.name}: was changed by another program meanwhile, so nothing more was written to it")
        file.write(b"".join(lines))
        file.flush()
        os.fsync(file.fileno())
        yield True


def in_place(file: BinaryIO) -> bool:
    """Is it still the file of its name, and as long as it was left?"""
    try:
        found = os.stat(file.name)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(file.fileno())) and found.st_size == file.tell()


def seed_of(seed: int, prompt: Prompt, number: int) -> int:
    digest = hashlib.blake2b(f"{seed}\n{number}\n{prompt.id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def line(prompt: Prompt, setting: Setting, variant: Variant, k: int) -> bytes:
    record = {
        "prompt": prompt.id,
        "method": setting.method,
        "value": setting.value,
        "index": variant.index % k,
        "text": variant.text,
        "tokens": variant.tokens,
        "base_tokens": variant.base_tokens,
        "stop": variant.stop,
    }
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def opened(plan: Plan, path: Path) -> tuple[BinaryIO, int]:
    """The file, at its end, and how many blocks are in it. What an interruption left of a block is cut off. Raises UsageProblem
    for a file of something else, or one that is damaged: nothing is changed then."""
    done, end = looked(plan, path)
    try:
        file = open(path, "r+b", opener=paths.private)  # noqa: SIM115
    except OSError as error:
        raise UsageProblem(f"{path}: can't be written ({error.strerror})") from None
    file.truncate(end)
    file.seek(end)
    if not end:
        file.write((json.dumps(plan.header(), ensure_ascii=False) + "\n").encode())
        file.flush()
    return file, done


def looked(plan: Plan, path: Path) -> tuple[int, int]:
    """How many blocks of this sweep are in the file, and where they end, in bytes; 0 where there is none yet. Raises as
    `opened` does."""
    if not path.exists():
        return 0, 0
    if not path.is_file():
        raise UsageProblem(f"{path}: is no plain file; give a file to write to")
    header = (json.dumps(plan.header(), ensure_ascii=False) + "\n").encode()
    try:
        with path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b"\n") and header.startswith(first):
                return 0, 0
            if not first.endswith(b"\n"):
                raise UsageProblem(f"{path}: is there already, and no sweep; give another -o")
            if first != header and (differs := difference(first, plan.header())):
                raise UsageProblem(f"{path}: {differs}; give another -o, or the command it was made with")
            done, end, line = whole_blocks(file, plan)
            file.seek(end)
            behind = sum(1 for text in file if text.endswith(b"\n"))
    except OSError as error:
        raise UsageProblem(f"{path}: can't be read ({error.strerror})") from None
    block = len(plan.blocks[done][1]) * plan.request.n if done < len(plan.blocks) else 1
    if behind >= block:  # more than an interruption can leave
        raise UsageProblem(
            f"{path}: line {line} is damaged, and {behind} lines from there on would be lost; mend or move it"
        )
    return done, end


def whole_blocks(file: BinaryIO, plan: Plan) -> tuple[int, int, int]:
    """How many lie at the beginning of it, behind the header; where they end, in bytes; the number of the first line that is
    not what it should be."""
    end, line = file.tell(), 1
    for number, (prompt, settings) in enumerate(plan.blocks):
        for setting in settings:
            for index in range(plan.request.n):
                line += 1
                text = file.readline()
                wanted = [prompt.id, setting.method, setting.value, index]
                if not text.endswith(b"\n") or place_of(text) != wanted:
                    return number, end, line
        end = file.tell()
    return len(plan.blocks), end, line + 1


def place_of(text: bytes) -> list[Any]:
    """Prompt, method, value and index of an idea's line; [] where it is none."""
    record = idea_of(text)
    return [record.get(key) for key in ("prompt", "method", "value", "index")] if record else []


def difference(first: bytes, wanted: Mapping[str, Any]) -> str:
    """Why it is not this sweep's file, in words; "" where it is: of a model's file more may be known than was then."""
    try:
        found = json.loads(first)
        if not isinstance(found, dict) or "sweep" not in found:
            raise ValueError
        if not whole(found):
            return "is there already, and is no whole sweep"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "is there already, and no sweep"
    differs = [key for key in wanted if key != "files" and found.get(key) != wanted[key]]
    if not same_files(found["files"], wanted["files"]):
        differs.append("models")
    return f"holds a sweep of other {', '.join(differs)}" if differs else ""
