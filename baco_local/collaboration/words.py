"""Where a word starts: the places at which the speaker may change, and what the content rules look at.

Letters, digits and combining marks of any script belong to words, and so does a character
that is not complete yet; everything else stands between them. An apostrophe behind a letter belongs to
the word as well, or a switch could turn "moon's" into "moon'l".
"""

import re
import unicodedata

import numpy as np

from baco_local.native import layout as L

# English words of the closed classes: determiners, pronouns, prepositions, conjunctions,
# auxiliaries, particles, and what is left of them in front of an apostrophe.
FUNCTION_WORDS = frozenset(
    """
    a an the this that these those such each every either neither both all some any no none another other
    much many more most few fewer little less least several enough own same what which whose whatever whichever
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her
    hers herself it its itself they them their theirs themselves one ones oneself who whom whoever somebody
    someone something anybody anyone anything nobody nothing everybody everyone everything there here
    of in on at by for with about against between among amongst into through throughout during before after
    above below to from up down out off over under along across behind beyond beside besides near onto upon
    within without toward towards around past per via despite except since until till unlike like as than
    and or but nor so yet if because although though while whereas unless whether once when whenever where
    wherever how however why then thus therefore hence also too
    am is are was were be been being do does did doing done have has had having will would shall should can
    could may might must ought need dare ll ve re don doesn didn isn aren wasn weren hasn haven hadn won
    wouldn shouldn couldn mustn can cannot not never only just very quite rather even still already again
    """.split()
)

MARKUP = re.compile(r"\s*(</?[a-zA-Z][^<>]*>?|&[a-z]+;|```\w*)\s*")
APOSTROPHES = "'\u2019\u02bc"
LONGEST_MARKUP = 100  # characters; a longer piece is no tag, and matching it would take long
ASCII_WORD = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORD = re.compile(r"[^\W\d_]+")


def belongs_to_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf") or char == "\ufffd"


def unfinished(text: bytes | bytearray) -> int:
    """How many bytes at the end begin a UTF-8 character that is not complete."""
    for back in range(1, min(3, len(text)) + 1):
        byte = text[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
    return 0


def state(text: bytes | bytearray) -> int:
    """OPEN, UNFINISHED or 0: what the end of `text` says about the piece that comes next."""
    if text and text[-1] < 0x80 and text[-1] not in b"'":
        return 0 if text[-1] in ASCII_WORD else L.OPEN
    if unfinished(text):
        return L.UNFINISHED
    end = bytes(text[-8:]).decode("utf-8", "ignore")
    last = end[-2:-1] if end[-1:] in APOSTROPHES else end[-1:]
    return 0 if last and belongs_to_word(last) else L.OPEN


def classify(piece: bytes, ends: bool) -> int:
    """The classes of one vocabulary entry (STARTS, END, FORMAT, FUNCTION or-ed together)."""
    if ends:
        return L.STARTS | L.END | L.FORMAT
    text = piece.decode("utf-8", "replace")
    if not text:
        return L.FORMAT
    found = 0
    punctuation = not any(belongs_to_word(char) for char in text)
    if (punctuation and text not in APOSTROPHES) or text[0].isspace():
        found |= L.STARTS
    if punctuation or (len(text) <= LONGEST_MARKUP and MARKUP.fullmatch(text)):
        found |= L.FORMAT
    else:
        word = WORD.match(text.lstrip())
        if word and word.group().lower() in FUNCTION_WORDS:
            found |= L.FUNCTION
    return found


def classes(pieces: list[bytes], ends: np.ndarray) -> np.ndarray:
    """(n,) uint8: the classes of a whole vocabulary."""
    return np.fromiter((classify(p, e) for p, e in zip(pieces, ends.tolist(), strict=True)), np.uint8, len(pieces))
