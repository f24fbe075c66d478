"""Counter-based random numbers: a draw depends on seed, variant, place and purpose, on nothing else.

So a variant draws the same whoever its neighbours are, and a text regenerated from its
middle repeats what came before. The mixer is splitmix64's (Steele, Lea, Flood 2014).
"""

BY_BASE, BY_ALIGNED, FOR_ROUTE = 0, 1, 2  # purposes: each is used at most once per place
GOLDEN = 0x9E3779B97F4A7C15
WORD = 2**64 - 1


def mix(x: int) -> int:
    """A word of 64 bits to another one."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def key(seed: int, variant: int) -> int:
    """What all random numbers of one variant come from."""
    return mix(mix(seed + GOLDEN & WORD) + GOLDEN * (variant + 1) & WORD)


def uniform(key: int, place: int, purpose: int) -> float:
    """A number in (0, 1) for a place (tokens written before). Never 0: that would draw the impossible."""
    return ((mix(key + GOLDEN * (4 * place + purpose + 1) & WORD) >> 12) + 0.5) * 2.0**-52
