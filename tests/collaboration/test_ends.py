import pytest

from baco_local.collaboration import ends


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("The end.\n", "Instruction"),
        ("The end.\nIn", "struction"),
        ("The end.\n", "### Response"),
        ("The end.\nQuestion", ":"),
        ("A reply. Response", ":"),
        ("The end.\nInput 2", ":"),
        ("so", " <|"),
        ("so", "</s>"),
        ("so", "<start_of"),
        ("so", "[/INST]"),
    ],
)
def test_the_frame_of_a_training_page_is_a_leak(text: str, piece: str) -> None:
    assert ends.leaks(text.encode(), piece.encode())


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("She read the", " instruction"),
        ("", " Human"),
        ("\n", "Question"),
        ("An answer", ","),
        ("Note", " to self"),
        ("the sea", ":"),
        ("a <", "b"),
        ("The end.\n", "\n"),
    ],
)
def test_ordinary_words_are_not(text: str, piece: str) -> None:
    assert not ends.leaks(text.encode(), piece.encode())


def test_stop_strings_end_at_the_earliest() -> None:
    assert ends.stop_at(b"one END two", (b"two", b"END"), 11) == 4
    assert ends.stop_at(b"one EN", (b"END",), 3) is None
    assert ends.stop_at(b"one END", (b"END",), 1) == 4  # its last byte is new


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("la " * 20, "la "),
        ("Hark! " + "the sea " * 8, "Hark! the sea"),
        ("A line of verse.\n" * 4, "A line of verse.\n"),
        ("x" * 60, "x"),
    ],
)
def test_a_loop_is_cut_after_its_first_round(text: str, cut: str) -> None:
    at = ends.loops_from(text.encode())
    assert at is not None
    assert text.encode()[:at].decode() == cut


@pytest.mark.parametrize(
    "text",
    [
        "ha " * 10,
        "A line of verse.\n" * 2,
        "",
        "The tide comes in, the tide goes out, the tide comes in again at night.",
    ],
)
def test_a_refrain_is_not_a_loop(text: str) -> None:
    assert ends.loops_from(text.encode()) is None
