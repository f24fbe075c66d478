"""Faults that a library must survive, each injected: kills, full disks, read-only folders, other versions, damage."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kills import many
from test_library import ORIGIN, filled

from baco_local.errors import LibraryProblem
from baco_local.library import Library, book, schema, store


def test_kills_at_random_moments(tmp_path: Path) -> None:
    """`python tests/kills.py 200` does it two hundred times."""
    kills = many(12, tmp_path)
    assert kills.count == 12
    assert kills.cut > 0
    assert kills.nodes >= 12


def whole(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def namespaced(script: str) -> subprocess.CompletedProcess[bytes]:
    """Runs it where file systems may be mounted; skips where that is not allowed."""
    command = ["unshare", "--map-root-user", "--mount", "bash", "-euc", script]
    if not shutil.which("unshare") or subprocess.run([*command[:3], "true"], capture_output=True).returncode:
        pytest.skip("no mounts of one's own are allowed here")
    return subprocess.run(command, capture_output=True, timeout=120)


def ideas(tiny: list[Any], options: str) -> str:
    command = [sys.executable, "-P", "-m", "baco_local", "ideas", "x", *map(str, tiny)]
    return " ".join(map(str, command)) + " " + options


def test_a_full_disk_stops_nobody_from_writing(tmp_path: Path, tiny: list[Any]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    run = ideas(tiny, "-n 40 --max-tokens 60 --seed 1 --router rand")
    done = namespaced(
        f"""
        export BACO_LOCAL_HOME={home}
        {ideas(tiny, "-n 1 --max-tokens 3 --no-log -q")} > /dev/null
        mkdir -p {home}/data && mount -t tmpfs -o size=160k tmpfs {home}/data
        {run} > {tmp_path}/out 2> {tmp_path}/err || echo "exit $?" >> {tmp_path}/err
        find {home}/data -maxdepth 1 -type f -exec cp {{}} {tmp_path} ';'
        """
    )
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "err").read_text()
    assert "note: not kept in the library: " in said
    assert "the disk is full" in said
    assert "exit" not in said
    assert (tmp_path / "out").read_text().count("\n\n") >= 40
    whole(tmp_path / "library.db")


def test_what_could_not_be_kept_is_kept_once_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(tmp_path / "library.db") as library:
        name, recorder = library.record("A line", ORIGIN)
        from baco_local.library import recording

        real, full = recording.origin_pk, [True]

        def failing(*given: Any) -> int:
            if full[0]:
                raise sqlite3.OperationalError("database or disk is full")
            return real(*given)

        monkeypatch.setattr(recording, "origin_pk", failing)
        from test_library import written

        written(recorder, 0, "The sea was calm")
        deadline = time.monotonic() + 10
        while recorder.problem is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "the disk is full" in str(recorder.problem)
        assert library.ideas(name) == []
        full[0] = False
        while recorder.problem is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [idea.text for idea in library.ideas(name)] == ["The sea was calm"]
        recorder.close()


def test_a_read_only_folder_can_be_read(tmp_path: Path, tiny: list[Any]) -> None:
    home = tmp_path / "home"
    with Library(home / "data" / "library.db") as library:
        filled(library, "A line", "The sea was calm")
    python = f"{sys.executable} -P -m baco_local"
    done = namespaced(
        f"""
        export BACO_LOCAL_HOME={home}
        mount --bind {home}/data {home}/data && mount -o remount,bind,ro {home}/data
        {python} history
        {python} search calm
        {python} star zzzzzzz && exit 9 || echo "star $?"
        {ideas(tiny, "-n 1 --max-tokens 3")} > /dev/null && echo "ideas $?"
        """
    )
    assert done.returncode == 0, done.stderr
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "1 idea  A line" in out
    assert "The sea was calm" in out
    assert "star 1" in out
    assert "ideas 0" in out
    assert err.count("can't be written") == 2
    assert "Traceback" not in err


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with Library(path) as library:
        filled(library, "A line", "x")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with Library(path) as library:
        for attempt in (library.history, lambda: library.record("Another", ORIGIN)):
            with pytest.raises(
                LibraryProblem,
                match=rf"newer version of baco-local \(format 99; this one knows {schema.VERSION}\)\n.*nothing was touched",
            ):
                attempt()
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.rglob("*") if one.is_file() and one.suffix != ".lock"] == ["library.db"]


def test_an_older_version_is_brought_up_with_a_copy_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "library.db"
    with Library(path) as library:
        _, [idea] = filled(library, "A line", "The sea was calm")
    steps = [*schema.STEPS, "ALTER TABLE sessions ADD COLUMN title TEXT;\nCREATE INDEX titles ON sessions (title);\n"]
    monkeypatch.setattr(store, "STEPS", steps)
    monkeypatch.setattr(store, "VERSION", schema.VERSION + 1)
    with Library(path) as library:
        assert library.node(idea.id).text == "The sea was calm"
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION + 1,)
        connection.execute("SELECT title FROM sessions")
    [copy] = tmp_path.glob(f"library-format-{schema.VERSION}-*.db")
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert connection.execute("SELECT count(*) FROM nodes").fetchone() == (2,)


def test_libraries_of_every_earlier_version_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in range(1, schema.VERSION):
        path = tmp_path / f"{version}.db"
        with monkeypatch.context() as old:
            old.setattr(store, "STEPS", schema.STEPS[:version])
            old.setattr(store, "VERSION", version)
            with Library(path) as library:
                _, [idea] = filled(library, "A line", "The sea was calm")
        with Library(path) as library:
            assert library.node(idea.id).text == "The sea was calm"
            assert library.ratings() == []


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "library.db"
    with Library(path) as library:
        filled(library, "A line", "x")
    monkeypatch.setattr(
        store, "STEPS", [*schema.STEPS, "ALTER TABLE sessions ADD COLUMN title TEXT;\nSELECT nonsense;\n"]
    )
    monkeypatch.setattr(store, "VERSION", schema.VERSION + 1)
    with Library(path) as library, pytest.raises(LibraryProblem, match="nonsense"):
        library.history()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("SELECT title FROM sessions")


def test_a_damaged_page_is_told_and_the_rest_is_saved(tmp_path: Path, baco: Any) -> None:
    home = {"BACO_LOCAL_HOME": str(tmp_path / "home")}
    path = tmp_path / "home" / "data" / "library.db"
    with Library(path) as library:
        for number in range(150):
            filled(library, f"Prompt {number}", f"an idea of {number} " * 60)
        library.backup(tmp_path / "backup.db")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'nodes'").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    leaf = next(  # a leaf of the table of nodes, somewhere in the middle
        page
        for page in range(len(content) // size // 2, len(content) // size)
        if content[page * size] == 13 and b"an idea of" in content[page * size : (page + 1) * size]
    )
    assert leaf != root - 1
    content[leaf * size : leaf * size + 40] = b"\xff" * 40
    path.write_bytes(content)
    (tmp_path / "saved.jsonl").write_text("an older export")
    saved = baco("export", "--format", "jsonl", "-o", tmp_path / "saved.jsonl", env=home)
    assert (tmp_path / "saved.jsonl").read_text() == "an older export"
    assert saved.returncode == 1
    assert "is damaged" in saved.stderr.decode()
    lines = (tmp_path / "saved.jsonl.salvaged").read_text().splitlines()
    assert 200 < len(lines) < 300
    assert all(json.loads(line)["baco-local"] == 1 for line in lines)
    shown = baco("history", "-n", 1000, env=home)
    assert shown.returncode == 1
    assert "save what is readable" in shown.stderr.decode()
    assert b"Traceback" not in shown.stderr
    other = {"BACO_LOCAL_HOME": str(tmp_path / "other")}
    taken = baco("import", tmp_path / "saved.jsonl.salvaged", env=other)
    assert f"{len(lines)} taken in" in taken.stderr.decode()
    assert baco("backup", "--restore", tmp_path / "backup.db", env=home).returncode == 0
    assert len(baco("history", "-n", 1000, env=home).stdout.splitlines()) == 150
    [old] = path.parent.glob("library-before-restore-*.db")
    assert old.read_bytes()[:5000] == bytes(content[:5000])


@pytest.mark.parametrize("content", [b"Once upon a time", b"SQLite format 3\0" + b"\xff" * 200])
def test_what_is_no_library_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "library.db").write_bytes(content)
    with (
        Library(tmp_path / "library.db") as library,
        pytest.raises(LibraryProblem, match=r"is not a library|is damaged"),
    ):
        library.history()
    assert (tmp_path / "library.db").read_bytes() == content


TWO = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_library import filled
from baco_local.library import Library
import time
end, name, count = time.monotonic() + float(sys.argv[1]), sys.argv[2], 0
with Library(Path("library.db")) as library:
    while time.monotonic() < end:
        prompt, ideas = filled(library, f"{name} {count}", *(f"idea {number} of {name} {count}" for number in range(4)))
        assert len(ideas) == 4
        library.star(ideas[0].id)
        library.search(name)
        count += 1
print(count)
"""


def two_processes(folder: Path, seconds: float) -> list[int]:
    here = Path(__file__).parent
    command = [sys.executable, "-c", TWO, str(seconds)]
    children = [
        subprocess.Popen(
            [*command, name, str(here), str(here.parent)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in ("one", "two")
    ]
    counts = []
    for child in children:
        out, err = child.communicate(timeout=seconds + 60)
        assert (child.returncode, err) == (0, b""), err
        counts.append(int(out))
    return counts


def test_two_processes_write_at_the_same_time(tmp_path: Path) -> None:
    counts = two_processes(tmp_path, 4)
    assert min(counts) > 5
    with Library(tmp_path / "library.db") as library:
        entries = library.history(limit=10**6)
        assert len(entries) == sum(counts)
        assert all((entry.ideas, entry.starred) == (4, 1) for entry in entries)
    whole(tmp_path / "library.db")


def test_a_clock_that_goes_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([2e9, 1e9, 5e8])
    with Library(tmp_path / "library.db") as library:
        names = []
        for prompt in ("first", "second", "third"):
            now = next(moments)
            monkeypatch.setattr(book.time, "time", lambda now=now: now)
            names.append(library.record(prompt, ORIGIN)[0])
        assert [entry.node.id for entry in library.history()] == names[::-1]


def test_a_process_that_is_gone_leaves_no_idea_being_written(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with Library(path) as library:
        name, _ = filled(library, "A line", "x")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO writers (token) VALUES ('00000000000000aa')")
        connection.execute(
            "INSERT INTO nodes (id, session, parent, kind, created, text, kept, kept_tokens, writer) "
            "SELECT 'ctctctc', session, pk, 'variant', created, 'half an id', 0, 0, (SELECT pk FROM writers WHERE token = '00000000000000aa') "
            "FROM nodes WHERE id = ?",
            [name],
        )
    connection.close()
    alive = store.Alive(path, "00000000000000aa")
    with Library(path) as library:
        assert library.node("ctctctc").stop is None  # somebody is still at it
    alive.close()
    with Library(path) as library:
        assert library.node("ctctctc").stop == "cancelled"
        assert [hit.node.id for hit in library.search("half")] == ["ctctctc"]


def test_the_owner_of_the_files_is_all_who_may_read_them(tmp_path: Path, baco: Any, tiny: list[Any]) -> None:
    home = tmp_path / "home"
    assert baco("ideas", "x", "-n", 1, "--max-tokens", 3, *tiny, env={"BACO_LOCAL_HOME": str(home)}).returncode == 0
    for path in (home / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert os.stat(home / "data").st_mode & 0o077 == 0
