"""A pair as a record: what its files are, whether they agree, and what memory it takes here."""

from typing import Any

from baco_local import fit
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.catalog.examine import Examined, examine
from baco_local.catalog.facts import Facts
from baco_local.catalog.reading import shipped_file
from baco_local.checkup.engine import free_memory
from baco_local.collaboration.settings import Request
from baco_local.errors import Problem
from baco_local.runtime import footprint

IDEAS = (8, 16)  # whose memory is told
TYPICAL = Request("x" * 120)  # a prompt of a usual length, ideas of the usual one


def summary(pair: PairEntry) -> dict[str, Any]:
    """What `models` lists: nothing is opened but headers of files that are here. Sizes in bytes."""
    needs, problem = None, None
    if pair.ready:
        try:
            needs = fit.needs_of(examine(pair, checksums=False))
        except Problem as found:
            problem = str(found).split("\n")[0]
    sizes = [file.exact_size or file.about or (present_size(file)) for file in pair.files.values()]
    return {
        "name": pair.name,
        "title": pair.title,
        "for": pair.whom,
        "licence": pair.licence,
        "gated": pair.gated,
        "origin": str(pair.origin),
        "checked": pair.checked.isoformat() if pair.checked else None,
        "shared_vocabulary": pair.shared,
        "settings": dict(pair.settings),
        "form": "lora" if pair.lora else "same" if pair.same else "two files",
        "shipped": pair.origin == shipped_file(),
        "ready": pair.ready and not problem,
        "problem": problem,
        "size": sum(size or 0 for size in sizes) if all(sizes) else None,
        "memory": memory(needs or fit.needs_by_catalogue(pair)),
        "files": {
            side: {
                "path": str(file.path),
                "source": [str(source) for source in file.sources],
                "present": file.present,
                "size": file.exact_size,
                "sha256": file.checksum or None,
            }
            for side, file in pair.files.items()
        },
    }


def present_size(file: ModelFile) -> int | None:
    return file.path.stat().st_size if file.present else None


def memory(needs: fit.Needs | None) -> dict[str, int] | None:
    """Bytes with so many ideas at once."""
    if not needs:
        return None
    return {str(n): needs.of(sized(n)).needed + footprint.PROGRAM for n in IDEAS}


def sized(n: int) -> Request:
    return Request(TYPICAL.prompt, n=n)


def details(pair: PairEntry) -> dict[str, Any]:
    """What `models show` tells of a pair whose files are here. Raises ModelProblem as `examine` does."""
    examined = examine(pair)
    needs, free = fit.needs_of(examined), free_memory()
    agreement = examined.agreement()
    return {
        "models": {side: record(facts) for side, facts in examined.sides.items()},
        "vocabulary": {
            "kind": agreement.kind,
            "differing": agreement.differing,
            "first": [{"id": token, "base": one, "aligned": two} for token, one, two in agreement.first],
        },
        "available": free,
        "at_once": fit.most_at_once(needs, TYPICAL, free - footprint.PROGRAM) if needs and free else None,
        "warnings": [*examined.warnings, *claims(examined, agreement.kind)],
    }


def claims(examined: Examined, kind: str) -> list[str]:
    if examined.entry.shared is not None and examined.entry.shared == (kind == "different"):
        said = "shared" if examined.entry.shared else "different"
        return [f"the catalogue says that the vocabularies are {said}, and they are not"]
    return []


def record(facts: Facts) -> dict[str, Any]:
    return {
        "path": str(facts.path),
        "name": facts.name,
        "kind": facts.kind,
        "architecture": facts.architecture,
        "parameters": facts.parameters,
        "quantisation": facts.quantisation,
        "size": facts.size,
        "context": facts.n_ctx_train,
        "vocabulary": facts.n_vocab,
        "tokenizer": facts.tokenizer,
        "chat_template": facts.has_template,
        "licence": facts.licence,
    }
