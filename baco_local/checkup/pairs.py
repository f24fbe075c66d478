"""The catalogue and its pairs: which are ready, how their vocabularies agree, what is wrong with the others."""

import os

from baco_local.catalog.entries import PairEntry
from baco_local.catalog.examine import Examined, examine
from baco_local.catalog.reading import read_catalog, user_file
from baco_local.checkup.engine import ask
from baco_local.checkup.line import MISSING, Line
from baco_local.errors import Problem
from baco_local.runtime import probe


def lines() -> list[Line]:
    try:
        catalog = read_catalog()
    except Problem as problem:
        return [Line("catalogue", str(problem).replace("\n", "; "), MISSING, f"correct or remove {user_file()}")]
    own = f"{user_file()} adds {sum(1 for pair in catalog.pairs.values() if pair.origin == user_file())}"
    found = [Line("catalogue", f"{len(catalog.pairs)} pairs; {own if user_file().exists() else 'none of your own'}")]
    here = [pair for pair in catalog.pairs.values() if any(file.present for file in pair.files.values()) or local(pair)]
    llama_runs = "problem" not in ask()
    found += [one(pair, llama_runs) for pair in here]
    absent = len(catalog.pairs) - len(here)
    if not any(pair.ready for pair in here):
        found.append(Line("models", "no pair is here yet", MISSING, "baco-local pull starter"))
    elif absent:
        found.append(Line("more", f"{absent} pairs can be pulled (baco-local models)"))
    return found


def local(pair: PairEntry) -> bool:
    return any(file.local for file in pair.files.values())


def one(pair: PairEntry, llama_runs: bool) -> Line:
    """A pair of which files are here, opened as `ideas` opens it up to the weights."""
    try:
        examined = examine(pair)
        if llama_runs:  # else every file would look as if it were damaged
            probe.check_all(examined.checks)
    except Problem as problem:
        said, *after = str(problem).split("\n")
        mend = f"correct it in {pair.origin}" if local(pair) else f"baco-local pull {pair.name}"
        return Line(pair.name, said, MISSING, after[0] if after else mend)
    warning = f"; {'; '.join(examined.warnings)}" if examined.warnings else ""
    return Line(pair.name, f"{described(examined)}; {passing(examined)}{warning}")


def described(examined: Examined) -> str:
    names = [f"{facts.name} {facts.quantisation}" for facts in examined.models]
    if examined.lora:
        return f"{names[0]} with {examined.lora.path.name} over it"
    return names[0] + " as both" if len(names) == 1 else " with ".join(names)


def passing(examined: Examined) -> str:
    """How text crosses between the two."""
    if len(examined.models) == 1:
        return "one vocabulary, token ids pass across"
    agreement = examined.agreement(1)
    sizes = examined.base.n_vocab, examined.aligned.n_vocab
    if agreement.kind == "same":
        return f"one vocabulary of {sizes[0]}, token ids pass across"
    if agreement.kind == "compatible":
        return f"vocabularies of {sizes[0]} and {sizes[1]} agree in all that writes text, token ids pass across"
    first = f" from token {agreement.first[0][0]} on" if agreement.first else ""
    return f"vocabularies of {sizes[0]} and {sizes[1]} differ{first}: text passes across"


def offline() -> list[Line]:
    """No connection is tried to find out: only a pull ever opens one."""
    set_offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    said = "needed by `pull`, and by the desk when a pair is got there; nothing else opens a connection"
    return [Line("network", said + ("; HF_HUB_OFFLINE is set, so hf: files can't be pulled" if set_offline else ""))]
