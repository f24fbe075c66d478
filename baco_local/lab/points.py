"""From a sweep's ideas to points: for every setting and prompt its diversity, by eleven metrics, and its quality."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from baco_local.lab import lexical, semantic
from baco_local.lab.swept import Sweep
from baco_local.lab.vectors import Embedder

LEXICAL, SEMANTIC = tuple(lexical.METRICS), tuple(semantic.METRICS)
DIVERSITY = (*LEXICAL, *SEMANTIC)
SIGNS = np.array([-1.0 if name in lexical.LESS else 1.0 for name in DIVERSITY])


@dataclass(frozen=True, slots=True)
class Points:
    """settings: (method, value), in the sweep's order. All arrays begin with (settings, prompts); NaN where a prompt's ideas
    had nothing to compare.

    diversity: (…, 11), signed so that more is more diverse. quality: (…, qualities). tokens, base: (…), how many in all.
    """

    settings: tuple[tuple[str, float], ...]
    prompts: tuple[str, ...]
    qualities: tuple[str, ...]
    diversity: np.ndarray
    quality: np.ndarray
    tokens: np.ndarray
    base: np.ndarray

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(method for method, _ in self.settings))

    def of(self, method: str) -> np.ndarray:
        """The indices of its settings."""
        return np.array([at for at, (name, _) in enumerate(self.settings) if name == method])

    def only(self, methods: Sequence[str]) -> "Points":
        """Those of these methods: another pool, by whose extremes everything is measured."""
        at = [index for index, (method, _) in enumerate(self.settings) if method in methods]
        arrays = (self.diversity[at], self.quality[at], self.tokens[at], self.base[at])
        return Points(tuple(self.settings[index] for index in at), self.prompts, self.qualities, *arrays)

    def means(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """weights: (draws, prompts), how often each prompt counts. Returns means over prompts, (draws, settings, 11) and
        (draws, settings, qualities)."""
        return weighted(self.diversity, weights), weighted(self.quality, weights)

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """(draws, settings), the share of base's tokens."""
        return np.asarray((weights @ self.base.T) / np.maximum(1, weights @ self.tokens.T))


def weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(settings, prompts, metrics) to (draws, settings, metrics): means of what is known, NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.einsum("dp,spm->dsm", weights, np.where(known, values, 0.0))
    count = np.einsum("dp,spm->dsm", weights, known.astype(float))
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def points_of(
    sweep: Sweep,
    embedder: Embedder,
    qualities: Mapping[str, Mapping[tuple[str, str, float], Sequence[float]]],
    tell: Callable[[str], None] = lambda text: None,
) -> Points:
    """qualities: by name, of every idea of a (prompt's id, method, value)."""
    prompts, settings = sweep.prompts, tuple(sweep.settings)
    shape = len(settings), len(prompts)
    diversity = np.full((*shape, len(DIVERSITY)), np.nan)
    quality = np.full((*shape, len(qualities)), np.nan)
    tokens, base = np.zeros(shape), np.zeros(shape)
    for column, prompt in enumerate(prompts):
        tell(f"diversity: prompt {column + 1} of {len(prompts)}")
        for row, (method, value) in enumerate(settings):
            ideas = sweep.ideas[prompt, method, value]
            texts = [str(idea["text"]) for idea in ideas]
            found = lexical.lexical(texts) | semantic.semantic(embedder(texts))
            diversity[row, column] = [np.nan if found[name] is None else found[name] for name in DIVERSITY]
            tokens[row, column] = sum(idea["tokens"] for idea in ideas)
            base[row, column] = sum(idea["base_tokens"] for idea in ideas)
            for at, by in enumerate(qualities.values()):
                known = [score for score in by[prompt, method, value] if not math.isnan(score)]
                quality[row, column, at] = np.mean(known) if known else np.nan
    return Points(settings, tuple(prompts), tuple(qualities), diversity * SIGNS, quality, tokens, base)
