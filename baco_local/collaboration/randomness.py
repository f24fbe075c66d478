"""Counter-based random numbers: a draw depends on seed, variant, place and purpose, on nothing else.

So a variant draws the same whoever its neighbours are, and a text regenerated from its
middle repeats what came before. The mixer is splitmix64's (Steele, Lea, Flood 2014).
"""

import numpy as np
import numpy.typing as npt

BY_BASE, BY_ALIGNED, FOR_ROUTE = 0, 1, 2  # purposes: each is used at most once per place
Words = npt.NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(x: Words) -> Words:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniforms(seed: int, variants: np.ndarray, places: np.ndarray, purposes: np.ndarray | int) -> np.ndarray:
    """(n,) float64 in (0, 1) for n variant indexes, places (tokens written before) and purposes."""
    with np.errstate(over="ignore"):
        key = mix(np.full(len(variants), seed % 2**64, np.uint64) + _GOLDEN)
        key = mix(key + _GOLDEN * (variants.astype(np.uint64) + np.uint64(1)))
        key = mix(
            key + _GOLDEN * (places.astype(np.uint64) * np.uint64(4) + np.asarray(purposes, np.uint64) + np.uint64(1))
        )
    return np.asarray(((key >> np.uint64(12)) + 0.5) * 2.0**-52)  # never 0: that would draw the impossible
