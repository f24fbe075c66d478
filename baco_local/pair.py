"""The Python way in: open a pair, ask it for ideas.

import baco_local

with baco_local.open_pair("starter") as pair:
    for variant in pair.ideas("A title for a novel about tides", n=4):
        print(variant.text)
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from baco_local import fit, preferences
from baco_local.catalog.entries import PairEntry
from baco_local.catalog.examine import Examined, demand_one_vocabulary, examine
from baco_local.catalog.given import given_entry
from baco_local.catalog.reading import read_catalog
from baco_local.collaboration.engine import Engine
from baco_local.collaboration.events import Ended, Failed
from baco_local.collaboration.routers import DEFAULT, router
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering, steering
from baco_local.collaboration.variant import Beginning, Variant
from baco_local.errors import UsageProblem
from baco_local.knob import default_at
from baco_local.runtime import footprint, probe
from baco_local.runtime.model import load_all
from baco_local.runtime.side import ModelSide


class Pair:
    """Two loaded models that write together, or one in two roles. Close it, or use it in `with`.

    warnings: what a writer should know of its files, a line each. steering: what its settings in the catalogue say.
    """

    def __init__(
        self,
        examined: Examined,
        needs: fit.Needs | None,
        gpu_layers: int | None = None,
        threads: int | None = None,
        cache_type: str = "f16",
    ) -> None:
        self.name, self.steering = examined.entry.name, own_steering(examined.entry)
        self.needs, self.gpu_layers = needs, gpu_layers
        self.models = load_all([facts.path for facts in examined.models], gpu_layers)
        try:
            lora = examined.lora.path if examined.lora else None
            base = ModelSide(self.models[0], threads, cache_type=cache_type)
            aligned = ModelSide(
                self.models[-1], threads, lora=lora, chat_template=examined.chat_template, cache_type=cache_type
            )
            self.sides = base, aligned
            one, two = base.vocabulary, aligned.vocabulary
            self.same_vocabulary = one is two or one.same_as(two)
            self.engine = Engine(base, aligned, self.same_vocabulary)
        except BaseException:
            for model in self.models:
                model.close()
            raise
        self.warnings = list(examined.warnings)
        if examined.entry.shared and not self.same_vocabulary:
            self.warnings.append(f"{self.name}: its models do not share a vocabulary, though the catalogue says so")

    def session(
        self,
        request: Request,
        steering: Steering | None = None,
        *,
        beginnings: Sequence[Beginning] = (),
        force: bool = False,
    ) -> Session:
        """A session over this pair, started. One at a time: a second one waits for the first. beginnings: what each
        variant begins with, where not all begin alike.

        Raises RoomProblem for a request that memory will not do for, unless `force`.
        """
        if not force:
            self.check(request)
        return Session(self.engine, request, steering or self.steering, beginnings).start()

    def check(self, request: Request) -> None:
        """Raises RoomProblem, naming what would fit, where memory will not do for `request`."""
        if not self.needs:
            return
        held = 0
        for shape, side in zip(self.needs.shapes, self.sides, strict=True):
            if side.context:
                size = side.context.n_sequences, side.context.n_cells
                held += footprint.of_context(shape, *size, side.cache_type, side.threads).needed
        fit.check(
            self.name,
            replace(self.needs, models=()),  # they are here
            request,
            cache_type=self.sides[0].cache_type,
            gpu_layers=self.gpu_layers,
            threads=self.sides[0].threads,
            held=held,
        )

    def ideas(self, prompt: str, *, steering: Steering | None = None, **options: Any) -> Iterator[Variant]:
        """Variants as they finish. Options are the fields of `Request`; leaving the loop stops the session.

        Raises UsageProblem for options that don't fit, RoomProblem when prompt and variants don't fit into memory or
        the models' contexts, and whatever Problem ended the session half way; what was finished before has been given.
        """
        session = self.session(Request(prompt, **options), steering)
        try:
            for event in session.events():
                if isinstance(event, Ended):
                    yield event.variant
                elif isinstance(event, Failed):
                    raise event.problem
        finally:
            session.stop()
            session.join()

    def close(self) -> None:
        """Frees contexts, then models. A running session is stopped; one that waits, or starts later, fails."""
        self.engine.closed.set()
        with self.engine.busy:
            for side in self.sides:
                side.close()
            for model in self.models:
                model.close()

    def __enter__(self) -> "Pair":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def own_steering(entry: PairEntry, **given: Any) -> Steering:
    """What the pair's settings say, and what is given over them (see `settings.steering`); a threshold that neither says is the
    one recommended for the pair. Raises UsageProblem."""
    try:
        steering(entry.settings)
    except UsageProblem as problem:
        raise UsageProblem(f"{entry.origin}: [pairs.{entry.name}.settings]: {problem}") from None
    name = str(given.get("router") or entry.settings.get("router", DEFAULT))
    said = name == entry.settings.get("router", DEFAULT) and "threshold" in entry.settings
    if not said and given.get("threshold") is None and given.get("base_share") is None:
        given["threshold"] = default_at(entry, router(name))
    return steering(entry.settings, **given)


def open_pair(
    name: str = "starter",
    *,
    base: str | Path | None = None,
    aligned: str | Path | None = None,
    lora: str | Path | None = None,
    same: str | Path | None = None,
    gpu_layers: int | None = None,
    threads: int | None = None,
    cache_type: str = "f16",
    same_vocabulary: bool = False,
    request: Request | None = None,
) -> Pair:
    """Loads a pair of the catalogue, or of the files given instead: `base` and `aligned`; `base` and a `lora` over
    it as the aligned side; or one file as the `same` model in both roles.

    gpu_layers: None for all, where llama.cpp was built for a GPU. threads: None for those of the user's
    preferences, else one per physical core. cache_type: `f16` or `q8_0`, how both models keep what they read.
    same_vocabulary: refuse models that don't share one. request: what will be asked of it; refused
    beforehand if memory would not do. Raises UsageProblem for an unknown name or files that make no pair,
    ModelProblem for a file that is missing or can't be used, RoomProblem for a request that doesn't fit.
    """
    entry = given_entry(base, aligned, lora, same) or read_catalog().pair(name)
    return open_entry(entry, gpu_layers, threads, cache_type, same_vocabulary, request)


def open_entry(
    entry: PairEntry,
    gpu_layers: int | None = None,
    threads: int | None = None,
    cache_type: str = "f16",
    same_vocabulary: bool = False,
    request: Request | None = None,
) -> Pair:
    """`open_pair` for an entry of the catalogue."""
    examined = examine(entry)
    if same_vocabulary:
        demand_one_vocabulary(examined)
    threads = threads or preferences.read().threads
    needs = fit.needs_of(examined)
    if request:
        fit.check(entry.name, needs, request, cache_type=cache_type, gpu_layers=gpu_layers, threads=threads)
    probe.check_all(examined.checks)
    return Pair(examined, needs, gpu_layers, threads, cache_type)
