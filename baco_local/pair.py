"""The Python way in: open a pair, ask it for ideas.

import baco_local

with baco_local.open_pair("starter") as pair:
    for variant in pair.ideas("A title for a novel about tides", n=4):
        print(variant.text)
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from baco_local import preferences
from baco_local.catalog.reading import read_catalog
from baco_local.collaboration.engine import Engine
from baco_local.collaboration.events import Ended, Failed
from baco_local.collaboration.session import Session
from baco_local.collaboration.settings import Request, Steering
from baco_local.collaboration.variant import Variant
from baco_local.errors import UsageProblem
from baco_local.runtime import probe
from baco_local.runtime.model import load_both
from baco_local.runtime.side import ModelSide


class Pair:
    """Two loaded models that write together. Close it, or use it in `with`."""

    def __init__(self, name: str, base: Path, aligned: Path, gpu_layers: int | None, threads: int | None) -> None:
        self.name = name
        self.models = load_both(base, aligned, gpu_layers)
        self.sides = tuple(ModelSide(model, threads) for model in self.models)
        one, two = (model.vocabulary for model in self.models)
        self.same_vocabulary = one.same_as(two)
        self.engine = Engine(self.sides[0], self.sides[1], self.same_vocabulary)

    def session(self, request: Request, steering: Steering | None = None) -> Session:
        """A session over this pair, started. One at a time: a second one waits for the first."""
        return Session(self.engine, request, steering).start()

    def ideas(self, prompt: str, *, steering: Steering | None = None, **options: Any) -> Iterator[Variant]:
        """Variants as they finish. Options are the fields of `Request`; leaving the loop stops the session.

        Raises UsageProblem for options that don't fit, RoomProblem when prompt and variants
        don't fit into the models' contexts.
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


def open_pair(
    name: str = "starter",
    *,
    base: str | Path | None = None,
    aligned: str | Path | None = None,
    gpu_layers: int | None = None,
    threads: int | None = None,
) -> Pair:
    """Loads a pair of the catalogue, or the two files given instead of it.

    gpu_layers: None for all, where llama.cpp was built for a GPU. threads: None for those of
    the user's preferences, else one per physical core. Raises UsageProblem for an unknown name, ModelProblem for a file that is
    missing or can't be used.
    """
    if (base is None) != (aligned is None):
        raise UsageProblem("a pair needs two files: give both the base and the aligned one")
    if base is not None and aligned is not None:
        try:
            paths = Path(base).expanduser(), Path(aligned).expanduser()
        except RuntimeError as error:
            raise UsageProblem(f"{base}, {aligned}: {error}") from None
        name = f"{paths[0].stem}+{paths[1].stem}"
    else:
        entry = read_catalog().pair(name)
        paths = entry.base.found(entry), entry.aligned.found(entry)
    threads = threads or preferences.read().threads
    probe.facts_of_both(*paths)
    return Pair(name, *paths, gpu_layers, threads)
