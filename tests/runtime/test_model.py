"""Contexts and vocabularies of real (tiny) files: what would end the process is refused in Python."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from oracle import write_model

from baco_local.errors import ModelProblem, RoomProblem
from baco_local.runtime import llama
from baco_local.runtime.context import BATCH, Context
from baco_local.runtime.model import Model, load_all
from baco_local.runtime.spans import Span, Work

CONTENT = [" a", " b", "a", "b", " "]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    path = write_model(tmp_path_factory.mktemp("model") / "m.gguf", CONTENT, {" a": {"b": 0.75, "a": 0.25}})
    with Model(path) as opened:
        yield opened


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    opened = Context(model, 4, 1024, 1, Work())
    yield opened
    opened.close()


def ids(model: Model, text: str) -> list[int]:
    return model.vocabulary.tokenize(text.encode())


def chance(row: np.ndarray, token: int) -> float:
    p = np.exp(row - row.max())
    return float(p[token] / p.sum())


def test_rows_come_in_the_order_of_the_spans(model: Model, context: Context) -> None:
    a, b = ids(model, " a")[0], ids(model, "b")[0]
    rows = context.evaluate([Span(0, 0, [b]), Span(1, 0, [b, a]), Span(2, 0, [b], logits=False), Span(3, 0, [a])])
    assert rows.shape == (3, model.vocabulary.n_tokens)
    assert [chance(row, b) > 0.7 for row in rows] == [False, True, True]
    assert (context.work.batches, context.work.tokens, context.work.rows) == (1, 5, 3)


def test_copies_share_and_cuts_shorten(model: Model, context: Context) -> None:
    a, b = ids(model, " a")[0], ids(model, "b")[0]
    context.evaluate([Span(0, 0, [b, b, b])])
    context.copy(0, 1)
    assert context.lengths[1] == 3
    assert context.cut(1, 2)
    [row] = context.evaluate([Span(1, 2, [a])])
    assert chance(row, b) == pytest.approx(0.75, abs=1e-3)
    assert context.lengths == [3, 3, 0, 0]


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [Span(4, 0, [5])],
        [Span(-1, 0, [5])],
        [Span(0, 1, [5])],
        [Span(0, 0, [])],
        [Span(0, 0, [10**6])],
        [Span(0, 0, [-1])],
        [Span(0, 0, [5] * (BATCH + 1))],
    ],
)
def test_what_llama_cpp_would_assert_on_is_refused(context: Context, spans: list[Span]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        context.evaluate(spans)


def test_a_full_cache_and_too_many_sequences_are_no_room(model: Model, context: Context) -> None:
    with pytest.raises(ValueError, match="sequences"):
        context.copy(0, 9)
    for start in range(0, context.n_cells, 256):
        context.evaluate([Span(0, start, [5] * min(256, context.n_cells - start), logits=False)])
    with pytest.raises(RoomProblem, match="full"):
        context.evaluate([Span(1, 0, [5] * 256)])
    with pytest.raises(RoomProblem, match="at most"):
        Context(model, 1000, 1024, 1, Work())


@pytest.mark.parametrize("text", [" a b", "ab ba", "hello", "\n a", "é", "  a"])
def test_pieces_joined_are_the_text(model: Model, text: str) -> None:
    vocabulary = model.vocabulary
    assert b"".join(map(vocabulary.piece, ids(model, text))) == text.encode()


def test_vocabularies_are_compared(model: Model, tmp_path: Path) -> None:
    same = write_model(tmp_path / "same.gguf", CONTENT, {})
    longer = write_model(tmp_path / "longer.gguf", [*CONTENT, "ab"], {})
    other = write_model(tmp_path / "other.gguf", ["b", "a", " a", " b", " "], {})
    with Model(same) as one, Model(longer) as two, Model(other) as three:
        assert model.vocabulary.same_as(one.vocabulary)
        assert model.vocabulary.same_as(two.vocabulary)
        assert not model.vocabulary.same_as(three.vocabulary)
        assert model.vocabulary.differences(three.vocabulary)[0] == 259


def test_one_bad_file_of_two_leaves_none_open(model: Model, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\x03\0\0\0" + b"\0" * 100)
    with pytest.raises(ModelProblem, match=r"bad\.gguf"):
        load_all([model.path, tmp_path / "bad.gguf"])


def test_native_words_go_to_the_ring_and_the_log_file(
    model: Model, home: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(ModelProblem):
        Model(tmp_path / "missing.gguf")
    assert capfd.readouterr() == ("", "")
    assert llama.last_complaint()
    assert (home / "state" / "llama.log").stat().st_size > 0


def test_fillers_change_no_row(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch filled up to whole tiles gives the same rows, and leaves nothing behind in the cache."""
    a, b = ids(model, " a")[0], ids(model, "b")[0]
    rows = []
    for tile in (1, 4):
        monkeypatch.setattr(model, "tile", tile)
        context = Context(model, 8, 1024, 1, Work())
        spans = [Span(sequence, 0, [a, b] if sequence % 2 else [a]) for sequence in range(5)]
        rows.append(context.evaluate(spans).copy())
        again = [Span(sequence, len(spans[sequence].tokens), [a]) for sequence in range(5)]
        rows.append(context.evaluate(again).copy())
        assert context.work.tokens == 12
        assert context.work.rows == 10
        context.close()
    assert np.allclose(rows[0], rows[2], atol=1e-4)
    assert np.allclose(rows[1], rows[3], atol=1e-4)
