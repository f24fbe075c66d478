"""Several at once: threads, processes, closings and forks, and what comes from elsewhere."""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_library import ORIGIN, filled, token, written

from baco_local.collaboration.events import Began, Ended, Wrote
from baco_local.collaboration.variant import Variant
from baco_local.errors import LibraryProblem, UsageProblem
from baco_local.library import Library, schema, store


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library.db") as found:
        yield found


def eventually(true: Any, seconds: float = 8) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(true())


def test_closing_while_another_process_holds_the_lock_loses_nothing(library: Library) -> None:
    name, recorder = library.record("A line", ORIGIN)
    written(recorder, 0, "The sea was calm")
    other = sqlite3.connect(library.path, isolation_level=None)
    assert eventually(lambda: len(library.ideas(name)) == 1)
    other.execute("BEGIN IMMEDIATE")
    for index in range(1, 6):
        written(recorder, index, f"idea {index}")
    time.sleep(1.2)  # the writer's look waits for the lock now
    closing = threading.Thread(target=recorder.close)
    closing.start()
    time.sleep(0.3)
    other.execute("COMMIT")
    closing.join(10)
    assert recorder.problem is None
    assert [idea.stop for idea in library.ideas(name)] == ["end"] * 6


def test_closing_at_any_moment_of_a_look(library: Library) -> None:
    for number in range(12):
        name, recorder = library.record(f"Prompt {number}", ORIGIN)
        for index in range(60):
            written(recorder, index, f"idea {index} of {number}")
        time.sleep(number * 0.05)
        recorder.close()
        assert len(library.ideas(name)) == 60


def test_a_library_that_closes_keeps_what_is_still_being_written(tmp_path: Path) -> None:
    with Library(tmp_path / "library.db") as library:
        name, recorder = library.record("A line", ORIGIN)
        written(recorder, 0, "The sea was calm")
        recorder.tell(Began(1))
        recorder.tell(Wrote(1, token("The")))
    with Library(tmp_path / "library.db") as library:
        assert [(idea.text, idea.stop) for idea in library.ideas(name)] == [
            ("The sea was calm", "end"),
            ("The", "cancelled"),
        ]


def test_marking_all_the_time_does_not_keep_ideas_from_being_kept(library: Library) -> None:
    name, recorder = library.record("A line", ORIGIN)
    written(recorder, 0, "The sea was calm")
    started = time.monotonic()
    while time.monotonic() < started + 1.5:
        library.star(name)
        time.sleep(0.05)
    with sqlite3.connect(library.path) as other:
        assert other.execute("SELECT count(*) FROM nodes WHERE kind = 'variant'").fetchone() == (1,)


def test_a_branch_whose_parent_is_cut_afterwards(library: Library) -> None:
    name, recorder = library.record("A line", ORIGIN)
    pieces = [token("The"), token(" sea"), token(" E")]
    recorder.tell(Began(0))
    for piece in pieces:
        recorder.tell(Wrote(0, piece))
    recorder.tell(Began(1, tuple(pieces), 0))
    recorder.tell(Wrote(1, token("gg")))
    recorder.tell(Ended(Variant(0, "The sea", tuple(pieces[:2]), "stop-string", 1, "p", 0.5, 1.0)))
    trace = (*pieces, token("gg"))
    recorder.tell(Ended(Variant(1, "The sea Egg", trace, "end", 1, "p", 0.5, 1.0, 3, 0)))
    recorder.close()
    first, second = library.ideas(name)
    assert (first.text, second.text, second.parent) == ("The sea", "The sea Egg", first.id)
    assert [one.piece for one in library.trace(second.id)] == ["The", " sea", " E", "gg"]


def test_what_was_removed_meanwhile_takes_nothing_else_along(library: Library) -> None:
    name, recorder = library.record("A line", ORIGIN)
    written(recorder, 0, "The sea was calm")
    assert eventually(lambda: len(library.ideas(name)) == 1)
    library.remove(name, purge=True)
    written(recorder, 1, "Another")
    with pytest.raises(LibraryProblem, match="removed meanwhile"):
        recorder.close()
    filled(library, "Another line", "x")


def test_reading_inside_an_export(library: Library) -> None:
    name, _ = filled(library, "A line", "one", "two")
    nodes = library.tree(name)
    assert [library.node(row["id"]).id for row in library.export(library.node(node.id) for node in nodes)] == [
        node.id for node in nodes
    ]


def test_a_closed_library_says_so(tmp_path: Path) -> None:
    library = Library(tmp_path / "library.db")
    filled(library, "A line", "one")
    library.close()
    for use in (library.history, lambda: library.star("abc"), lambda: library.record("x", ORIGIN)):
        with pytest.raises(LibraryProblem, match="was closed"):
            use()
    library.close()


def test_many_threads_and_a_close(tmp_path: Path) -> None:
    library = Library(tmp_path / "library.db")
    name, _ = filled(library, "A line", "one")
    results: list[str] = []

    def mark() -> None:
        try:
            for _ in range(200):
                library.star(name)
            results.append("done")
        except LibraryProblem as problem:
            results.append(str(problem))

    threads = [threading.Thread(target=mark) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    library.close()
    for thread in threads:
        thread.join(10)
    assert len(results) == 4


def test_after_a_fork(library: Library) -> None:
    name, _ = filled(library, "A line", "one")
    child = multiprocessing.get_context("fork").Process(target=library.star, args=(name,))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert library.node(name).starred


def test_a_library_reached_through_a_link_is_the_same(library: Library, tmp_path: Path) -> None:
    name, recorder = library.record("A line", ORIGIN)
    recorder.tell(Began(0))
    recorder.tell(Wrote(0, token("The")))
    assert eventually(lambda: len(library.ideas(name)) == 1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "library.db").symlink_to(library.path)
    with Library(tmp_path / "other" / "library.db") as linked:
        assert linked.ideas(name)[0].stop is None
    recorder.close()


MIGRATE = """
import sys
from pathlib import Path
from baco_local.library import schema, store, Library
store.STEPS = [*schema.STEPS, "ALTER TABLE sessions ADD COLUMN title TEXT;\\n"]
store.VERSION += 1
with Library(Path(sys.argv[1])) as library:
    print(len(library.history()))
"""


def test_several_processes_migrate_at_once(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with Library(path) as library:
        filled(library, "A line", "one")
    children = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert (out, err) == (b"1\n", b"")
    [copy] = tmp_path.glob(f"library-format-{schema.VERSION}-*.db")
    assert sqlite3.connect(copy).execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_a_backup_is_put_back_over_what_a_crash_left(tmp_path: Path, baco: Any) -> None:
    home = tmp_path / "home"
    path = home / "data" / "library.db"
    with Library(path) as library:
        for number in range(20):
            filled(library, f"Prompt {number}", "one")
        library.backup(tmp_path / "backup.db")
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; from test_library import filled\n"
        "from baco_local.library import Library\n"
        "library = Library(Path(sys.argv[1]))\n"
        "for number in range(20): filled(library, f'Later {number}', 'two')\n"
        "os.kill(os.getpid(), 9)"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code, path, Path(__file__).parent], env=os.environ | {"PYTHONPATH": paths}
    )
    assert done.returncode == -signal.SIGKILL
    assert (home / "data" / "library.db-wal").stat().st_size > 0
    assert baco("backup", "--restore", tmp_path / "backup.db", env={"BACO_LOCAL_HOME": str(home)}).returncode == 0
    with Library(path) as library:
        assert len(library.history(limit=100)) == 20
    [old] = path.parent.glob("library-before-restore-*.db")
    with Library(old) as before:
        assert len(before.history(limit=100)) == 40
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"Once upon a time")
    assert baco("backup", "--restore", bad, env={"BACO_LOCAL_HOME": str(home)}).returncode == 1


def test_a_folder_of_locks_that_cannot_be_used_stops_no_ideas(tmp_path: Path, baco: Any, tiny: list[Any]) -> None:
    data = tmp_path / "home" / "data"
    data.mkdir(parents=True)
    (data / "library.db-writers").write_text("in the way")
    done = baco("ideas", "x", "-n", 1, "--max-tokens", 3, "-q", *tiny, env={"BACO_LOCAL_HOME": str(tmp_path / "home")})
    assert done.returncode == 0
    assert done.stdout
    assert b"not kept in the library" in done.stderr  # also with -q


def rows(library: Library, *ideas: str) -> list[dict[str, Any]]:
    name, _ = filled(library, "A line", *ideas)
    return list(library.export(library.tree(name)))


def test_two_different_ideas_with_one_id(library: Library, tmp_path: Path) -> None:
    prompt, idea = rows(library, "The sea was calm")
    with Library(tmp_path / "other.db") as other:
        _, [own] = filled(other, "Something else", "of its own")
        taken = [json.dumps({**prompt, "id": own.parent}), json.dumps({**idea, "id": own.id, "parent": own.parent})]
        assert other.read(taken) == (2, 0)
        assert {entry.node.text for entry in other.history()} == {"A line", "Something else"}
        [new] = [entry.node for entry in other.history() if entry.node.text == "A line"]
        assert [one.text for one in other.ideas(new.id)] == ["The sea was calm"]
        assert [one.text for one in other.ideas(own.parent or "")] == ["of its own"]


@pytest.mark.parametrize(
    "change",
    [
        {"created": 1e18},
        {"created": 10**400},
        {"created": float("nan")},
        {"kept": 1.5},
        {"kept": 10**30},
        {"kept": None},
        {"moves": {"a": 1}},
        {"moves": [[1, 2, 3]]},
        {"seed": "abc"},
        {"seed": []},
        {"origin": {"options": "x"}},
        {"origin": {"options": {"stop": 5}}},
        {"id": "ab"},
        {"id": "a" * 50},
        {"text": "\ud800"},
        {"marks": {"star": ["zz"]}},
        {"marks": {"tag": ["Has Space\nx"]}},
        {"marks": {"other": [""]}},
        {"deleted": "yes"},
        {"threshold": True},
        {"stop": "x" * 100},
        {"trace": "nonsense"},
    ],
)
def test_what_is_not_what_it_should_be_is_refused(library: Library, tmp_path: Path, change: dict[str, Any]) -> None:
    _, idea = rows(library, "The sea was calm")
    line = json.dumps({**idea, **change})
    with (
        Library(tmp_path / "other.db") as other,
        pytest.raises(UsageProblem, match=r"line 1: .* not what it should be|line 1: is no JSON"),
    ):
        other.read([line])


def test_control_characters_from_elsewhere_do_not_reach_the_screen(library: Library, tmp_path: Path) -> None:
    prompt, _ = rows(library, "x")
    rude = {**prompt, "text": "A\x1b[2J line", "origin": {"pair": "\x1b]0;x\x07", "options": {"router": "p\x9b"}}}
    with Library(tmp_path / "other.db") as other:
        other.read([json.dumps(rude)])
        node = other.history()[0].node
        assert node.text == "A[2J line"
        assert node.origin["pair"] == "]0;x"
        assert node.origin["options"]["router"] == "p"


def test_notes_keep_their_order_and_local_marks_stay(library: Library, tmp_path: Path) -> None:
    name, [idea] = filled(library, "A line", "The sea was calm")
    library.note(idea.id, "z first")
    library.note(idea.id, "a second")
    library.star(idea.id)
    lines = [json.dumps(row) for row in library.export(library.tree(name))]
    with Library(tmp_path / "other.db") as other:
        other.read(lines)
        assert other.node(idea.id).notes == ("z first", "a second")
    library.reject(idea.id)
    library.read(lines)
    assert (library.node(idea.id).starred, library.node(idea.id).rejected) == (False, True)


def test_long_chains(library: Library) -> None:
    name, [idea] = filled(library, "A line", "x")
    last = idea.id
    for number in range(1200):
        last = library.edit(last, f"x {number}").id
    assert library.node(last).text == "x 1199"
    assert library.remove(name, purge=True) == 1202


def test_undoing_brings_back_what_went_together(library: Library) -> None:
    name, [one, two] = filled(library, "A line", "one", "two")
    library.remove(one.id)
    time.sleep(0.01)
    library.remove(name)
    assert library.restore(name) == 2
    assert [idea.id for idea in library.ideas(name)] == [two.id]


def test_edited_words_are_found(library: Library) -> None:
    _, [idea] = filled(library, "A line", "The sea was calm")
    edit = library.edit(idea.id, "The sea was cold")
    assert [hit.node.id for hit in library.search("cold")] == [edit.id]


def test_a_second_prompt_of_a_session_counts_by_itself(library: Library) -> None:
    name, [idea] = filled(library, "First", "one")
    second, recorder = library.record("Second", ORIGIN, session=library.node(name).session)
    written(recorder, 0, "two")
    recorder.close()
    library.star(idea.id)
    assert [entry.node.id for entry in library.history(starred=True)] == [name]
    assert {entry.node.id for entry in library.history()} == {name, second}


def test_versions_are_known() -> None:
    assert len(schema.STEPS) == store.VERSION
