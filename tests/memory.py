"""Holds the estimate of memory (baco_local/fit.py) to what processes really occupy: python tests/memory.py

For the starter pair, each of its models in both roles, an adapter over one of them, and a tiny pair, with
1, 8 and 32 ideas, each in a process of its own.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from oracle import write_model, write_random_lora

from baco_local import fit
from baco_local.catalog.examine import examine
from baco_local.catalog.given import given_entry
from baco_local.catalog.reading import read_catalog
from baco_local.collaboration.settings import Request
from baco_local.runtime import footprint

PROMPT, TOKENS = "The lighthouse keeper had not spoken for", 64
SIZES = (1, 8, 32)


def request_for(ideas: int) -> Request:
    return Request(PROMPT, n=ideas, slots=ideas, max_tokens=TOKENS, mode="continue", seed=1)


def resident() -> int:
    """Bytes that this process occupies (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def measure(files: dict[str, str], ideas: int) -> int:
    """In the child: opens the pair, writes, and says what it occupies then."""
    from baco_local.pair import open_pair

    with open_pair(**files) as pair:  # type: ignore[arg-type]
        session = pair.session(request_for(ideas))
        list(session.events())
        session.join()
        return resident()


def measured(files: dict[str, str], ideas: int) -> int:
    command = [sys.executable, __file__, json.dumps([files, ideas])]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def pairs(folder: Path) -> dict[str, dict[str, str]]:
    starter = read_catalog().pair("starter")
    base, aligned = (str(file.path) for file in starter.files.values())
    words = [" sea", " sun", " tide", ",", "."]
    letters = sorted({char for word in words for char in word if char.isalpha()})
    tiny = [str(write_model(folder / f"{side}.gguf", [" ", *letters, *words], {})) for side in ("one", "two")]
    return {
        "gemma-3-270m with SmolLM2-135M": {"base": base, "aligned": aligned},
        "gemma-3-270m as both": {"same": base},
        "SmolLM2-135M as both": {"same": aligned},
        "SmolLM2-135M and an adapter": {
            "base": aligned,
            "lora": str(write_random_lora(folder / "lora.gguf", Path(aligned))),
        },
        "a tiny pair": {"base": tiny[0], "aligned": tiny[1]},
    }


def main() -> None:
    print(f"{'':32}  ideas  estimate  measured     off")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, files in pairs(Path(folder)).items():
            entry: Any = given_entry(**files)  # type: ignore[arg-type]
            needs = fit.needs_of(examine(entry))
            assert needs
            for ideas in SIZES:
                expected = needs.of(request_for(ideas)).resident + footprint.PROGRAM
                found = measured(files, ideas)
                worst = max(worst, abs(expected / found - 1))
                print(
                    f"{name:32}  {ideas:>5}  {expected / 1e6:>5.0f} MB  {found / 1e6:>5.0f} MB  {expected / found - 1:>+6.1%}"
                )
    print(f"at most {worst:.1%} off")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(*json.loads(sys.argv[1])))
    else:
        main()
