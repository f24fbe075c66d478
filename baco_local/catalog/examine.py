"""What a pair's files are, and whether they can be a pair: told from their headers before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path

from baco_local.catalog.checksums import checksum
from baco_local.catalog.entries import ModelFile, PairEntry
from baco_local.catalog.facts import Facts, facts_of, header_of
from baco_local.catalog.vocabularies import Agreement, compare, shared
from baco_local.errors import ModelProblem, UsageProblem


@dataclass(frozen=True, slots=True)
class Examined:
    """The files of a pair. aligned is base where the pair is one model; lora only where there is an adapter.

    warnings: what a writer should know, a line each.
    """

    entry: PairEntry
    base: Facts
    aligned: Facts
    lora: Facts | None
    chat_template: str | None  # of the adapter
    warnings: tuple[str, ...]

    @property
    def models(self) -> list[Facts]:
        """Those whose weights are loaded."""
        return [self.base] if self.aligned is self.base else [self.base, self.aligned]

    @property
    def sides(self) -> dict[str, Facts]:
        """By the side that they are of."""
        found = {"base": self.base, "aligned": self.aligned, "lora": self.lora}
        return {side: facts for side, facts in found.items() if facts and side in self.entry.files}

    @property
    def checks(self) -> list[tuple[Path, Path | None]]:
        """What has to be opened once in a process of its own: models, with the adapter over them."""
        return [(facts.path, self.lora.path if self.lora else None) for facts in self.models]

    @property
    def shared(self) -> bool:
        """Do token ids mean the same in both?"""
        return self.aligned is self.base or shared(header_of(self.base.path), header_of(self.aligned.path))

    def agreement(self, limit: int = 5) -> Agreement:
        return compare(header_of(self.base.path), header_of(self.aligned.path), limit)


def examine(entry: PairEntry, checksums: bool = True) -> Examined:
    """Raises ModelProblem for a file that is missing, damaged, of the wrong kind, or not the one that is meant.

    checksums: read files whole that have one and were not read since they changed; that may take seconds.
    """
    found = {side: facts_of(verified(entry, file, checksums)) for side, file in entry.files.items()}
    base, lora = found["base"], found.get("lora")
    aligned = found.get("aligned", base)
    for side, facts in found.items():
        if (facts.kind == "adapter") != (side == "lora"):
            raise ModelProblem(wrong_kind(side, facts))
    template = None
    if lora:
        if lora.architecture != base.architecture:
            raise ModelProblem(
                f"{lora.path}: is an adapter for {lora.architecture} models, and {base.path.name} is a {base.architecture} model\n"
                "use an adapter that was made for this very model"
            )
        given = header_of(lora.path).values.get("tokenizer.chat_template")
        template = given if isinstance(given, str) else None
    warnings = []
    if aligned is not base and base.has_template and not aligned.has_template:
        warnings.append(
            f"{base.path.name} has a chat template and {aligned.path.name} has none: are base and aligned swapped?"
        )
    elif not aligned.has_template and not template:
        warnings.append(
            f"{aligned.path.name} has no chat template: as the aligned side it can't be given a task, only --continue a text"
        )
    return Examined(entry, base, aligned, lora, template, tuple(warnings))


def demand_one_vocabulary(examined: Examined) -> None:
    """Raises UsageProblem where token ids don't mean the same in both."""
    agreement = examined.agreement(3)
    if agreement.kind == "different":
        named = "; ".join(f"{token}: {one!r} and {two!r}" for token, one, two in agreement.first)
        raise UsageProblem(
            f"{examined.base.path.name} and {examined.aligned.path.name} have different vocabularies: {agreement.differing:,} tokens differ ({named})\n"
            "take siblings of one family, or leave --same-vocabulary away: text is passed between them then"
        )


def wrong_kind(side: str, facts: Facts) -> str:
    if side == "lora":
        return f"{facts.path}: is a whole model and no adapter; give it with --aligned (aligned.source in models.toml)"
    return f"{facts.path}: is an adapter (LoRA) and no whole model; give it with --lora (aligned.lora in models.toml)"


def verified(entry: PairEntry, file: ModelFile, checksums: bool) -> Path:
    """The file's path, where it is what the catalogue says."""
    path = file.found(entry)
    again = (
        f"take it as it is with: baco-local models add {entry.name} --replace …"
        if file.local
        else f"get it again with: baco-local pull {entry.name}"
    )
    try:
        size = path.stat().st_size
        if file.exact_size not in (None, size):
            raise ModelProblem(
                f"{path}: has {size:,} bytes instead of {file.exact_size:,}: half a file, or another one\n{again}"
            )
        if checksums and file.checksum and checksum(path) != file.checksum:
            raise ModelProblem(f"{path}: is another file than the catalogue's {entry.name} (by its checksum)\n{again}")
    except OSError as error:
        raise ModelProblem(f"{path}: can't be read ({error.strerror})") from None
    return path
