import numpy as np
import pytest

from baco_local.collaboration import words
from baco_local.native import layout as L


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (" house", L.STARTS),
        ("house", 0),
        (" the", L.STARTS | L.FUNCTION),
        ("The", L.FUNCTION),
        (" I'm", L.STARTS | L.FUNCTION),
        (" theory", L.STARTS),
        (".", L.STARTS | L.FORMAT),
        ("\n\n", L.STARTS | L.FORMAT),
        (" ", L.STARTS | L.FORMAT),
        (" —", L.STARTS | L.FORMAT),
        ("**", L.STARTS | L.FORMAT),
        ("😀", L.STARTS | L.FORMAT),
        ("'s", 0),
        ("'", L.FORMAT),  # goes on with a word; behind a blank every piece starts one
        ("’", L.FORMAT),
        (" '", L.STARTS | L.FORMAT),
        ('"', L.STARTS | L.FORMAT),
        ("</b>", L.FORMAT),
        ("<h1>", L.FORMAT),
        ("é", 0),
        ("\u0301", 0),  # a combining accent goes on with the word
        ("ि", 0),  # and so does a vowel sign
        ("春", 0),
        ("2", 0),
        ("", L.FORMAT),
    ],
)
def test_classes_of_pieces(piece: str, expected: int) -> None:
    assert words.classify(piece.encode(), False) == expected


def test_a_token_that_ends_the_text() -> None:
    assert words.classify(b"", True) == L.STARTS | L.END | L.FORMAT


def test_half_a_character_is_neither_punctuation_nor_a_word_start() -> None:
    assert words.classify("é".encode()[:1], False) == 0
    assert words.classify(b" \xf0\x9f", False) == L.STARTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", L.OPEN),
        (b"sea ", L.OPEN),
        (b"sea", 0),
        (b"sea.", L.OPEN),
        (b"sea's", 0),
        (b"sea'", 0),
        ("sea’".encode(), 0),
        (b"sea '", L.OPEN),
        (b"'", L.OPEN),
        ("mañana".encode(), 0),
        ("हिन्दी".encode(), 0),
        ("“".encode(), L.OPEN),
        ("😀".encode(), L.OPEN),
        ("😀".encode()[:1], L.UNFINISHED),
        ("😀".encode()[:3], L.UNFINISHED),
        (b"sea \xc3", L.UNFINISHED),
        (b"\x80\x80\x80\x80", L.OPEN),  # never a character: nothing to wait for
    ],
)
def test_state_of_a_text(text: bytes, expected: int) -> None:
    assert words.state(text) == expected


def test_classes_of_a_vocabulary_are_bytes() -> None:
    found = words.classes([b" a", b"."], np.array([False, True]))
    assert found.dtype == np.uint8
    assert found.tolist() == [L.STARTS | L.FUNCTION, L.STARTS | L.END | L.FORMAT]
