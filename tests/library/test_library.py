"""The library's own logic: trees, marks, finding, edits, putting aside, and taking elsewhere."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco_local.collaboration.events import Began, Ended, Wrote
from baco_local.collaboration.variant import Token, Variant
from baco_local.errors import LibraryProblem, UsageProblem
from baco_local.library import Library, Node, store, traces
from baco_local.library.finding import as_query

ORIGIN = {"pair": "toy", "options": {"router": "p-punc", "threshold": 0.35}, "files": {}}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library.db") as found:
        yield found


def token(piece: str, speaker: str = "aligned") -> Token:
    return Token(piece, 7, speaker, True, 0.5, 0.25, 1.5, 5)


def written(
    recorder: Any, index: int, text: str, kept: tuple[Token, ...] = (), parent: int | None = None, stop: str = "end"
) -> None:
    """An idea word by word, as a session tells it."""
    pieces = [
        token(f"{' ' * bool(number or kept)}{word}", "base" if number % 2 else "aligned")
        for number, word in enumerate(text.split())
    ]
    recorder.tell(Began(index, kept, parent))
    for piece in pieces:
        recorder.tell(Wrote(index, piece))
    trace = (*kept, *pieces)
    whole = "".join(piece.piece for piece in trace)
    recorder.tell(Ended(Variant(index, whole, trace, stop, 2**63 + index, "p-punc", 0.35, 1.25, len(kept), parent)))


def filled(library: Library, prompt: str, *ideas: str) -> tuple[str, list[Node]]:
    name, recorder = library.record(prompt, ORIGIN)
    for index, text in enumerate(ideas):
        written(recorder, index, text)
    recorder.close()
    return name, library.ideas(name)


def test_what_is_written_is_there_with_all_that_is_known(library: Library) -> None:
    name, [first, second] = filled(library, "Names for a boat", "The Tide Runner", "Sea Wolf")
    assert (first.text, first.kind, first.parent, first.stop, first.tokens) == (
        "The Tide Runner",
        "variant",
        name,
        "end",
        3,
    )
    assert (second.seed, second.threshold, second.base_share) == (2**63 + 1, 0.35, 0.5)
    assert first.origin["pair"] == "toy"
    assert [one.piece for one in library.trace(first.id)] == ["The", " Tide", " Runner"]
    assert library.trace(first.id)[1] == token(" Tide", "base")
    assert abs(first.created - datetime.now()) < timedelta(minutes=1)
    assert library.node(name).text == "Names for a boat"


def test_history_is_newest_first_and_counts(library: Library) -> None:
    one, ideas = filled(library, "First", "a", "b")
    two, _ = filled(library, "Second", "c")
    library.star(ideas[1].id)
    library.tag(ideas[1].id, "#Sea")
    entries = library.history()
    assert [(entry.node.id, entry.ideas, entry.starred) for entry in entries] == [(two, 1, 0), (one, 2, 1)]
    assert [entry.node.id for entry in library.history(starred=True)] == [one]
    assert [entry.node.id for entry in library.history(tag="sea")] == [one]
    assert library.history(tag="other") == []
    assert library.history(since=datetime.now() + timedelta(hours=1)) == []
    assert len(library.history(limit=1)) == 1
    assert [idea.id for idea in library.ideas(one, starred=True)] == [ideas[1].id]


def test_a_branch_holds_only_its_own_part(library: Library) -> None:
    name, [idea] = filled(library, "A line", "The sea was calm")
    kept = library.trace(idea.id)[:2]
    recorder = library.record_below(idea.id, ORIGIN)
    written(recorder, 0, "rose at night", kept)
    recorder.close()
    [branch] = [node for node in library.ideas(name) if node.kind == "branch"]
    assert (branch.text, branch.own, branch.parent, branch.kept) == (
        "The sea rose at night",
        " rose at night",
        idea.id,
        7,
    )
    assert "".join(one.piece for one in library.trace(branch.id)) == branch.text
    deeper = library.record_below(branch.id, ORIGIN)
    written(deeper, 0, "fell", library.trace(branch.id)[:3])
    deeper.close()
    [deepest] = [node for node in library.tree(name) if node.parent == branch.id]
    assert deepest.text == "The sea rose fell"
    assert library.prompt_of(deepest).id == name


def test_a_branch_of_the_same_run_hangs_below_the_idea_that_it_is_of(library: Library) -> None:
    name, recorder = library.record("A line", ORIGIN)
    written(recorder, 0, "The sea was calm")
    written(recorder, 1, "rose", (token("The"), token(" sea")), parent=0)
    recorder.close()
    first, branch = library.ideas(name)
    assert (branch.parent, branch.text) == (first.id, "The sea rose")


def test_takes_go_below_what_they_take_the_place_of(library: Library) -> None:
    name, [idea, other] = filled(library, "A line", "The sea was calm", "A moon")
    recorder = library.record_below(name, ORIGIN)
    recorder.put_below(0, other.id)  # another take, from the beginning
    recorder.put_below(1, idea.id, 2)  # the third token is another one
    recorder.put_below(2, "0000000", 2)  # gone meanwhile
    written(recorder, 0, "The sun")
    written(recorder, 1, "at night", (*library.trace(idea.id)[:2], token(" shone", "base")))
    written(recorder, 2, "at night", library.trace(idea.id)[:2])
    recorder.close()
    found = {node.text: node for node in library.ideas(name)}
    assert (found["The sun"].parent, found["The sun"].kind, found["The sun"].kept) == (other.id, "variant", 0)
    shone, gone = found["The sea shone at night"], found["The sea at night"]
    assert (shone.parent, shone.kind, shone.own, shone.kept_tokens) == (idea.id, "branch", " shone at night", 2)
    assert (gone.parent, gone.own, gone.kept) == (name, "The sea at night", 0)
    for node in (shone, gone):
        assert "".join(one.piece for one in library.trace(node.id)) == node.text


def test_an_edit_is_a_new_child(library: Library) -> None:
    _, [idea] = filled(library, "A line", "The sea was calm")
    edit = library.edit(idea.id, "The sea is calm")
    assert (edit.kind, edit.own, edit.text, edit.parent) == ("edit", "is calm", "The sea is calm", idea.id)
    assert library.node(idea.id).text == "The sea was calm"
    assert library.trace(edit.id) == ()


def test_finished_nodes_never_change(library: Library, tmp_path: Path) -> None:
    _, [idea] = filled(library, "A line", "The sea was calm")
    with sqlite3.connect(library.path) as connection, pytest.raises(sqlite3.IntegrityError, match="never changes"):
        connection.execute("UPDATE nodes SET text = 'x' WHERE id = ?", [idea.id])


def test_marks(library: Library) -> None:
    _, [idea] = filled(library, "A line", "The sea was calm")
    library.star(idea.id)
    library.star(idea.id)
    library.reject(idea.id)
    node = library.node(idea.id)
    assert (node.starred, node.rejected) == (False, True)
    library.star(idea.id)
    assert library.node(idea.id).rejected is False
    assert library.unstar(idea.id)
    assert not library.unstar(idea.id)
    library.note(idea.id, "first\x1b[2J")
    library.note(idea.id, "second")
    assert library.node(idea.id).notes == ("first[2J", "second")
    library.tag(idea.id, "Sea")
    assert library.untag(idea.id, "#sea")
    for wrong in ("", "two words", "a,b", "x" * 65):
        with pytest.raises(UsageProblem, match="is no tag"):
            library.tag(idea.id, wrong)
    with pytest.raises(UsageProblem, match="empty"):
        library.note(idea.id, " ")


def test_ids_have_unique_beginnings(library: Library) -> None:
    name, [idea] = filled(library, "A line", "The sea")
    for length in range(3, 8):
        beginning = idea.id[:length]
        if not name.startswith(beginning) and not library.node(idea.id).session.startswith(beginning):
            assert library.node(beginning.upper()).id == idea.id
    for wrong in ("", "a", "!!!!", "zzzzzzz", "' OR 1"):
        with pytest.raises(UsageProblem):
            library.node(wrong)


def test_an_id_of_several_names_them(library: Library) -> None:
    filled(library, "A line", *["x"] * 40)
    with sqlite3.connect(library.path) as connection:
        connection.execute("DROP TRIGGER nodes_never_change")
        connection.execute("UPDATE nodes SET id = 'zz' || substr(id, 3)")
    with pytest.raises(UsageProblem, match="several have an id that begins with zz: zz"):
        library.node("zz")


def test_search(library: Library) -> None:
    name, ideas = filled(
        library, "Names for a boat", "The Tide Runner", "Tidal wolf", "Café at sea", "runner of the tide"
    )
    assert {hit.node.id for hit in library.search("tid")} == {ideas[0].id, ideas[1].id, ideas[3].id}
    assert {hit.node.id for hit in library.search("tide runner")} == {ideas[0].id, ideas[3].id}
    assert [hit.node.id for hit in library.search('"tide runner"')] == [ideas[0].id]
    assert [hit.node.id for hit in library.search("cafe")] == [ideas[2].id]
    assert "\x02Café\x03" in library.search("cafe")[0].excerpt
    assert [hit.node.id for hit in library.search("boat")] == [name]
    library.star(ideas[1].id)
    assert [hit.node.id for hit in library.search("tid", starred=True)] == [ideas[1].id]
    library.remove(ideas[0].id)
    assert ideas[0].id not in {hit.node.id for hit in library.search("tid")}
    with pytest.raises(UsageProblem, match="at least one word"):
        library.search('"" *')


@given(st.text(max_size=40))
def test_whatever_is_searched_for_is_a_query(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    try:
        query = as_query(text.replace("\0", ""))
    except UsageProblem:
        return
    connection.execute("SELECT * FROM words WHERE words MATCH ?", [query]).fetchall()


def test_putting_aside_and_back_and_for_good(library: Library) -> None:
    name, [one, two] = filled(library, "A line", "one", "two")
    library.edit(one.id, "one more")
    assert library.remove(one.id) == 2
    assert [idea.id for idea in library.ideas(name)] == [two.id]
    assert library.node(one.id).deleted
    assert library.restore(one.id) == 2
    assert len(library.ideas(name)) == 3
    assert library.remove(library.node(name).session) == 4
    assert library.history() == []
    library.restore(one.id)
    assert len(library.history()) == 1
    assert library.remove(name, purge=True) == 4
    with pytest.raises(UsageProblem):
        library.node(one.id)
    with sqlite3.connect(library.path) as connection:
        for table in ("sessions", "nodes", "traces", "marks", "origins"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        assert connection.execute("SELECT count(*) FROM words WHERE words MATCH 'one'").fetchone() == (0,)
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_what_is_purged_is_in_no_byte_of_the_file(library: Library) -> None:
    """Neither in the index of words, nor in the write-ahead log, nor in pages that are free."""
    filled(library, "A line", "the sea")
    name, ideas = filled(library, "Zanzibar", *(f"quixotic{number} wanderlust" for number in range(30)))
    library.note(ideas[0].id, "quixoticism")
    assert found_in_files(library)
    library.remove(name, purge=True)
    assert not found_in_files(library)
    library.close()
    assert not found_in_files(library)
    assert library.path.read_bytes().count(b"the sea")


def found_in_files(library: Library) -> bool:
    files = library.path.parent.glob(library.path.name + "*")
    content = b"".join(file.read_bytes() for file in files if file.is_file())
    return any(word in content.lower() for word in (b"quixotic", b"wanderlust", b"zanzibar"))


def test_export_and_import_give_the_same_library(library: Library, tmp_path: Path) -> None:
    name, [idea, _] = filled(library, "A line", "The sea was calm", "Ünïcode \u2603")
    library.star(idea.id)
    library.note(idea.id, "good")
    recorder = library.record_below(idea.id, ORIGIN)
    written(recorder, 0, "rose", library.trace(idea.id)[:2])
    recorder.close()
    lines = [json.dumps(row) for row in library.export(library.tree(name))]
    with Library(tmp_path / "other.db") as other:
        assert other.read(lines) == (4, 0)
        assert other.read(lines) == (0, 4)
        for node in library.tree(name):
            twin = other.node(node.id)
            assert {key: getattr(twin, key) for key in Node.__slots__ if key != "pk"} == {
                key: getattr(node, key) for key in Node.__slots__ if key != "pk"
            }
            assert other.trace(node.id) == library.trace(node.id)
        assert [hit.node.id for hit in other.search("calm")] == [idea.id]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: "nonsense", "line 2: is no JSON"),
        (lambda row: "[]", "was not written by"),
        (lambda row: json.dumps({**row, "kind": "poem"}), "kind is missing"),
        (lambda row: json.dumps({**row, "id": "../x"}), "id is missing"),
        (lambda row: json.dumps({**row, "text": 5}), "text is missing or not"),
        (lambda row: json.dumps({**row, "parent": "zzzzzzz"}), "its parent zzzzzzz comes nowhere before it"),
        (lambda row: json.dumps({**row, "trace": "AAAA"}), "trace is not what it should be"),
        (lambda row: json.dumps({**row, "marks": {"star": 1}}), "marks"),
        (lambda row: json.dumps({key: value for key, value in row.items() if key != "stop"}), "stop is missing"),
    ],
)
def test_what_is_no_export_is_refused_whole(library: Library, tmp_path: Path, change: Any, says: str) -> None:
    name, _ = filled(library, "A line", "The sea was calm")
    first, second = library.export(library.tree(name))
    with Library(tmp_path / "other.db") as other:
        with pytest.raises(UsageProblem, match=says):
            other.read([json.dumps(first), change(second)])
        assert not other.path.exists() or other.history() == []


def test_how_the_knob_was_turned_is_kept(library: Library) -> None:
    name, recorder = library.record("A line", ORIGIN)
    recorder.tell(Began(0))
    recorder.tell(Wrote(0, token("The")))
    recorder.steered("p", 0.8)
    trace = (token("The"), token(" end"))
    recorder.tell(Wrote(0, trace[1]))
    recorder.tell(Ended(Variant(0, "The end", trace, "end", 1, "p", 0.8, 1.0)))
    recorder.close()
    [(at, router, threshold)] = library.ideas(name)[0].moves
    assert (router, threshold) == ("p", 0.8)
    assert 0 <= at < 5


@given(
    st.lists(
        st.builds(
            Token,
            st.text(max_size=5),
            st.integers(0, 2**31 - 1),
            st.sampled_from(["base", "aligned"]),
            st.booleans(),
            st.floats(0, 1, width=32),
            st.none() | st.floats(0, 1, width=32),
            st.none() | st.floats(0, 15, width=32),
        ),
        max_size=20,
    )
)
def test_traces_come_back(tokens: list[Token]) -> None:
    assert traces.unpacked(traces.packed(tokens)) == tuple(tokens)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\2\0\0\0\0", b"\1\5\0\0\0x", traces.HEAD.pack(1, 9) + b"x\x9c\3\0\0\0\0\1"]
)
def test_what_is_no_trace(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (zlib's, struct's and numpy's own words)
        traces.unpacked(data)


def test_reading_where_there_is_nothing(tmp_path: Path) -> None:
    with Library(tmp_path / "library.db") as library, pytest.raises(LibraryProblem, match="there is no library yet"):
        library.history()
    assert not (tmp_path / "library.db").exists()


def test_files_are_private(library: Library) -> None:
    filled(library, "A line", "x")
    assert library.path.stat().st_mode & 0o777 == 0o600
    assert store.folder_of_locks(library.path).stat().st_mode & 0o777 == 0o700
