"""Whether two models mean the same by a token id, told from their headers.

The same decides, over the same tokens as llama.cpp reads them, when the pair is opened (runtime/vocabulary.py).
"""

from dataclasses import dataclass

from baco_local.catalog.facts import TOKENS
from baco_local.catalog.gguf import Header
from baco_local.text import one_line

UNKNOWN, CONTROL = 2, 3  # token types that write no text
SPARE_TOKENS = 128  # siblings may differ by this many tokens added at the end


@dataclass(frozen=True, slots=True)
class Agreement:
    """kind: `same`; `compatible` (what writes text is the same; names of control tokens, or a few tokens at
    the end, are not); `different` (text is passed across instead of token ids).

    differing: how many tokens differ; first: (id, its text in base, in aligned) of the first few.
    """

    kind: str
    differing: int
    first: tuple[tuple[int, str, str], ...]


def compare(base: Header, aligned: Header, limit: int = 5) -> Agreement:
    if base.path == aligned.path:
        return Agreement("same", 0, ())
    one, two = texts(base), texts(aligned)
    named_alike = base.text("tokenizer.ggml.model") == aligned.text("tokenizer.ggml.model")
    both = range(min(len(one[0]), len(two[0])))
    # llama.cpp makes control tokens of some that a file calls normal: then the same name is the same token
    differing = [token for token in both if one[1][token] != two[1][token] and one[0][token] != two[0][token]]
    longer = abs(len(one[0]) - len(two[0]))
    if differing or not named_alike or longer > SPARE_TOKENS:
        kind, apart = "different", differing
    else:
        apart = [token for token in both if one[0][token] != two[0][token]] if one[0] != two[0] else []
        same_words = base.text("tokenizer.ggml.pre") == aligned.text("tokenizer.ggml.pre")
        kind = "same" if not apart and not longer and same_words else "compatible"
    first = [(token, shown(one[0], token), shown(two[0], token)) for token in apart[:limit]]
    if len(first) < limit and longer:
        token = len(both)
        first.append((token, shown(one[0], token), shown(two[0], token)))
    return Agreement(kind, len(apart) + longer, tuple(first))


def shared(base: Header, aligned: Header) -> bool:
    """Do token ids pass across? At once for vocabularies that are far apart."""
    counts = [header.arrays[TOKENS].count if TOKENS in header.arrays else 0 for header in (base, aligned)]
    return abs(counts[0] - counts[1]) <= SPARE_TOKENS and compare(base, aligned, 0).kind != "different"


def texts(header: Header) -> tuple[list[bytes], list[bytes]]:
    """Every token's name, and the text it writes, which is none for control tokens."""
    names = header.strings(TOKENS)
    kinds = header.numbers("tokenizer.ggml.token_type")
    if len(kinds) != len(names):
        return names, names
    return names, [b"" if kind in (UNKNOWN, CONTROL) else name for name, kind in zip(names, kinds, strict=True)]


def shown(names: list[bytes], token: int) -> str:
    return one_line(names[token].decode("utf-8", "replace"), 40) if token < len(names) else "(none)"
