"""Diversity by meaning: metrics over sentence vectors of length 1, one row a text.

Every metric takes (n, d) vectors and gives a number, or None for fewer than two texts; more is more diverse for all.
"""

import math

import numpy as np

SIMILAR = 0.7  # cosine from which two texts count as one idea in distinct_k


def distances(vectors: np.ndarray) -> np.ndarray:
    """(n, n) cosine distances, 0 for the same direction, 2 for opposite ones."""
    return np.asarray(np.clip(1 - vectors.astype(np.float64) @ vectors.astype(np.float64).T, 0, 2))


def cosine_distance(vectors: np.ndarray) -> float | None:
    """Mean cosine distance over pairs (Tevet and Berant 2021), in [0, 2]."""
    n = len(vectors)
    if n < 2:
        return None
    return float(distances(vectors)[np.triu_indices(n, 1)].mean())


def vendi(vectors: np.ndarray) -> float | None:
    """Vendi score (Friedman and Dieng 2023): e to the entropy of the eigenvalues of the similarity matrix over n, the number of
    texts that as many different ones would count as; in [1, n]."""
    n = len(vectors)
    if n < 2:
        return None
    similar = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    np.fill_diagonal(similar, 1.0)
    weights = np.linalg.eigvalsh(similar / n)
    weights = weights[weights > 1e-12]
    return math.exp(-float((weights * np.log(weights)).sum()))


def remote_clique(vectors: np.ndarray) -> float | None:
    """Remote-clique (Cox et al. 2021): the mean over texts of their mean distance to all others; here the Euclidean one, in
    [0, 2], so that it is not `cosine_distance` once more. A published package counts the distance to itself, 0, as well."""
    n = len(vectors)
    if n < 2:
        return None
    found = distances(vectors)
    np.fill_diagonal(found, 0)  # what rounding leaves there, a square root makes much of
    return float(np.sqrt(2 * found).sum() / (n * (n - 1)))


def chamfer(vectors: np.ndarray) -> float | None:
    """Chamfer distance (Cox et al. 2021): the mean distance of each text to its nearest other one, in [0, 2]: low where
    every idea has a twin."""
    n = len(vectors)
    if n < 2:
        return None
    found = distances(vectors)
    np.fill_diagonal(found, np.inf)
    return float(found.min(axis=1).mean())


def distinct_k(vectors: np.ndarray, similar: float = SIMILAR) -> float | None:
    """How many different ideas (NoveltyBench, Zhang et al. 2025, with vectors in place of its classifier): each text joins the
    first class whose first member has at least this cosine with it, or begins one of its own; classes over texts, in (0, 1]."""
    if len(vectors) < 2:
        return None
    firsts: list[np.ndarray] = []
    for vector in vectors.astype(np.float64):
        if not any(float(vector @ first) >= similar for first in firsts):
            firsts.append(vector)
    return len(firsts) / len(vectors)


METRICS = {
    "cosine": cosine_distance,
    "vendi": vendi,
    "remote-clique": remote_clique,
    "chamfer": chamfer,
    "distinct-k": distinct_k,
}


def semantic(vectors: np.ndarray) -> dict[str, float | None]:
    """All of them by name."""
    return {name: metric(vectors) for name, metric in METRICS.items()}
