"""Feeds damaged files and odd prompts to everything that reads them: python tests/fuzz.py [FILES] [SEED]

Model files (opened as the product does: header first, then in a child process), models.toml, exported ideas, sweeps, the library's own
file, and prompts. Whatever is wrong may only come out as a Problem: a line for the user. Anything else is a finding, and its input
is kept. What is printed: how many there were of each kind, how many were refused, and the findings.
"""

import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from oracle import write_model

import baco_local
from baco_local.catalog.examine import examine
from baco_local.catalog.given import given_entry
from baco_local.catalog.reading import parsed, shipped_file
from baco_local.errors import Problem
from baco_local.lab import swept
from baco_local.lab.prompts import prompts_of
from baco_local.library import Library
from baco_local.runtime import probe

SLOW = 20.0  # seconds: a file that takes longer is a finding as well
NASTY = [
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff" * 8,
    b"\x00" * 8,
    b"[" * 2000,
    b"9" * 400,
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"\r\n",
    b'"',
]


def mutated(content: bytes, dice: random.Random) -> bytes:
    """With one to six changes: bytes set, cut out, doubled, swapped for nasty ones, or the end cut off."""
    found = bytearray(content)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(max(1, len(found)))
        length = dice.choice([1, 1, 2, 4, 8, 64])
        kind = dice.randrange(6)
        if kind == 0:
            found[at : at + 1] = bytes([dice.randrange(256)])
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length]
        elif kind == 3:
            found[at : at + length] = dice.choice(NASTY)
        elif kind == 4:
            found[at : at + 8] = dice.getrandbits(64).to_bytes(8, "little")
        else:
            del found[dice.randrange(len(found) // 2, len(found) + 1) :]
    return bytes(found)


def odd_prompts(dice: random.Random) -> Iterator[str]:
    parts = [
        "a",
        "שלום",
        "\u202e",
        "\u200d",
        "\u0301" * 30,
        "👨‍👩‍👧‍👦",
        "\x1b[2J",
        "\x00",
        "\ud800",
        "\n",
        "\t",
        "﷽",
        "<|im_end|>",
        "<start_of_turn>",
        "{{ x }}",
        "漢字",
        " ",
        "\r",
        "%s",
        "𝕒" * 50,
    ]
    while True:
        yield "".join(dice.choices(parts, k=dice.choice([1, 2, 5, 20, 400, 4000])))


class Fuzz:
    """Counts what came of each kind of input."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[str] = []

    def run(self, kind: str, inputs: Iterator[bytes], count: int, use: Callable[[bytes], None]) -> None:
        refused, longest, began = 0, 0.0, time.monotonic()
        for number in range(count):
            content, started = next(inputs), time.monotonic()
            try:
                use(content)
            except Problem as problem:
                refused += 1
                if len(str(problem).splitlines()) > 3 or "internal error" in str(problem):
                    self.found(kind, number, content, str(problem))
            except Exception:
                self.found(kind, number, content, traceback.format_exc())
            took = time.monotonic() - started
            longest = max(longest, took)
            if took > SLOW:
                self.found(kind, number, content, f"took {took:.0f} s")
        print(
            f"{kind}: {count} tried, {refused} refused, {time.monotonic() - began:.0f} s, the longest {longest:.1f} s",
            flush=True,
        )

    def found(self, kind: str, number: int, content: bytes, says: str) -> None:
        path = self.folder / f"{kind.replace(' ', '-')}-{number}"
        path.write_bytes(content)
        self.findings.append(f"{kind} {number} ({path}): {says}")
        print(self.findings[-1], flush=True)


def of(content: bytes, dice: random.Random) -> Iterator[bytes]:
    while True:
        yield mutated(content, dice)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    kept = Path(tempfile.mkdtemp(prefix="baco-fuzz-"))
    os.environ["BACO_LOCAL_HOME"] = str(kept / "home")
    fuzz = Fuzz(kept)
    words = [" sea", " sun", " tide", ",", "."]
    letters = sorted({char for word in words for char in word if char.isalpha()})
    models = [write_model(kept / f"{side}.gguf", [" ", *letters, *words], {}) for side in ("base", "aligned")]

    def open_model(content: bytes) -> None:
        path = kept / "model.gguf"
        path.write_bytes(content)
        entry = given_entry(same=path)
        assert entry
        examined = examine(entry)
        probe.check_all(examined.checks)
        with baco_local.open_pair(same=path) as pair:  # what the child let pass is opened here
            list(pair.ideas("x", n=2, max_tokens=3))

    whole = models[0].read_bytes()
    fuzz.run("model headers", (mutated(whole[:4000], dice) + whole[4000:] for _ in iter(int, 1)), count, open_model)
    fuzz.run("model bodies", of(whole, dice), count // 4, open_model)
    toml = shipped_file().read_bytes()
    fuzz.run("models.toml", of(toml, dice), count, lambda content: _parsed(content))
    with Library(kept / "library.db") as library:
        node, recorder = library.record("A prompt", {})
        recorder.close()
        library.note(node, "a note")
        rows = list(library.export([library.node(node)]))
        lines = "\n".join(json.dumps(row) for row in rows).encode()
        fuzz.run("exported ideas", of(lines, dice), count, lambda content: _taken(library, content))
    database = (kept / "library.db").read_bytes()
    fuzz.run("libraries", of(database, dice), count // 4, lambda content: _library(kept, content))
    prompts = b'{"id": "a", "category": "b", "prompt": "c"}\nplain\n'
    fuzz.run("prompt files", of(prompts, dice), count, lambda content: _prompts(content))
    with baco_local.open_pair(base=models[0], aligned=models[1]) as pair:
        texts = (text.encode("utf-8", "surrogatepass") for text in odd_prompts(dice))

        def write(content: bytes) -> None:
            for _ in pair.ideas(content.decode("utf-8", "surrogatepass"), n=1, max_tokens=3):
                pass

        fuzz.run("prompts", texts, count // 4, write)
    print(f"{len(fuzz.findings)} findings")
    sys.exit(bool(fuzz.findings))


def _parsed(content: bytes) -> None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return
    parsed(Path("models.toml"), text)


def _taken(library: Library, content: bytes) -> None:
    library.read(content.decode("utf-8", "replace").splitlines())


def _library(folder: Path, content: bytes) -> None:
    path = folder / "damaged.db"
    for one in folder.glob("damaged.db*"):
        one.unlink()
    path.write_bytes(content)
    with Library(path) as library:
        for entry in library.history(limit=5):
            library.node(entry.node.id)
        library.search("prompt")


def _prompts(content: bytes) -> None:
    prompts_of(content.decode("utf-8", "replace").split("\n"), "prompts")
    (path := Path(tempfile.gettempdir()) / "baco-fuzz-sweep").write_bytes(content)
    swept.read(path)


if __name__ == "__main__":
    main()
