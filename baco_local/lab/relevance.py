"""Relevance: how near an idea is to its prompt in meaning. It rewards an idea that echoes the prompt, so echoes are taken off.

It knows nothing of whether an idea is any good: a fluent and a broken sentence about the same things are as relevant.
"""

from collections.abc import Sequence

import numpy as np

from baco_local.lab.lexical import ngrams, words
from baco_local.lab.vectors import Embedder

MOSTLY = 0.5  # of an idea's pairs of words: from here on, echoing costs


def echo(prompt: str, text: str) -> float:
    """The share of the text's pairs of neighbouring words that the prompt has too, in [0, 1]; of single words for a text of one."""
    n = 2 if len(words(text)) > 1 else 1
    own, theirs = ngrams(words(text), n), set(ngrams(words(prompt), n))
    return sum(gram in theirs for gram in own) / len(own) if own else 0.0


def kept(prompt: str, text: str) -> float:
    """What of its relevance an idea keeps: all up to half of it being the prompt's words, nothing of a mere repetition."""
    return 1 - max(0.0, echo(prompt, text) - MOSTLY) / (1 - MOSTLY)


def relevance(embedder: Embedder, prompt: str, texts: Sequence[str]) -> list[float]:
    """For each text the cosine of its vector with the prompt's, in [-1, 1], times `kept`; 0 for an empty one. More is better."""
    if not texts:
        return []
    vectors = embedder([prompt, *texts]).astype(np.float64)
    return [float(vector @ vectors[0]) * kept(prompt, text) for vector, text in zip(vectors[1:], texts, strict=True)]
