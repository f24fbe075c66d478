"""Libraries that somebody made to do harm, or that hold what no library holds: told in words, without a hang, and nothing is touched."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_library import filled

from baco_local.errors import DamagedLibrary, LibraryProblem
from baco_local.library import Library, store

FOREVER = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS node, 'star' AS kind, '' AS value, 0 AS created FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Library(tmp_path / "library.db") as library:
        filled(library, "A line", "one tide", "two tides")
    return tmp_path / "library.db"


def changed(path: Path, *statements: str, keep: bool = True) -> None:
    """As another program might; `keep`: with the triggers of ours put back afterwards."""
    connection = sqlite3.connect(path)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers if keep else []:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers if keep else []:
        connection.execute(sql)
    connection.commit()
    connection.close()


def reads(path: Path) -> list[Callable[[Library], Any]]:
    def first(library: Library) -> str:
        connection = sqlite3.connect(path)
        [name] = connection.execute("SELECT id FROM nodes WHERE kind = 'variant' LIMIT 1").fetchone()
        connection.close()
        return str(name)

    return [
        lambda library: library.history(),
        lambda library: library.search("tide"),
        lambda library: library.node(first(library)),
        lambda library: library.trace(first(library)),
        lambda library: library.prompt_of(library.node(first(library))),
        lambda library: list(library.export([library.node(first(library))])),
        lambda library: [library.ideas(entry.node.id) for entry in library.history()],
    ]


def complaint(read: Callable[[Library], Any], library: Library) -> str:
    try:
        read(library)
    except LibraryProblem as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("token", ["{}", "../../precious", "../precious", "", "x" * 16])
def test_a_writers_name_is_not_taken_for_a_file(path: Path, tmp_path: Path, token: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    changed(
        path,
        "DELETE FROM writers",
        f"INSERT INTO writers (pk, token) VALUES (77, '{token.format(precious)}')",
        "UPDATE nodes SET stop = NULL, writer = 77 WHERE kind = 'variant'",
    )
    with Library(path) as library:
        assert {idea.stop for idea in library.ideas(library.history()[0].node.id)} == {"cancelled"}
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    "statements",
    [
        ["ALTER TABLE marks RENAME TO gone", f"CREATE VIEW marks AS {FOREVER}"],
        ["CREATE TRIGGER mine AFTER INSERT ON nodes BEGIN DELETE FROM sessions; END"],
        ["DROP TRIGGER nodes_never_change"],
        ["DROP TABLE traces"],
        ["CREATE VIEW more AS SELECT 1"],
    ],
)
def test_another_schema_is_refused_and_not_run(path: Path, tmp_path: Path, statements: list[str]) -> None:
    changed(path, *statements, keep=False)
    with pytest.raises(DamagedLibrary, match="no library as baco-local makes it"), Library(path) as library:
        library.history()
    with pytest.raises(LibraryProblem):
        store.restore(tmp_path / "other.db", path)
    assert not (tmp_path / "other.db").exists()


def test_a_file_that_only_claims_to_be_a_library_is_not_restored(tmp_path: Path) -> None:
    for version, number in (("2", 1), ("-5", 2)):
        connection = sqlite3.connect(tmp_path / f"{number}.db")
        connection.execute("CREATE TABLE nodes (x)")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        with pytest.raises(LibraryProblem):
            store.restore(tmp_path / "library.db", tmp_path / f"{number}.db")
    assert not (tmp_path / "library.db").exists()


def test_a_schema_that_is_no_text_is_damage_in_one_line(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE nodes (", b"CREATE TABLE nodes \xff", 1))
    with pytest.raises(DamagedLibrary) as caught, Library(path) as library:
        library.history()
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE nodes SET created = 1e300",
        "UPDATE nodes SET created = 'yesterday'",
        "UPDATE nodes SET seed = 'abc'",
        "UPDATE nodes SET kept = 'x'",
        "UPDATE nodes SET moves = '{'",
        "UPDATE nodes SET moves = '[1]'",
        "UPDATE nodes SET text = x'00ff'",
        "UPDATE origins SET content = '[]'",
        f"UPDATE origins SET content = '{'[' * 100_000}'",
        "UPDATE origins SET content = '{\"options\": []}'",
        'UPDATE origins SET content = \'{"options": {"stop": 5}}\'',
        "UPDATE traces SET data = x'00'",
        "UPDATE traces SET data = 'text'",
        "UPDATE nodes SET parent = pk, kept = 2 WHERE kind = 'variant'",
        "UPDATE nodes SET parent = (SELECT max(pk) FROM nodes) WHERE kind = 'prompt'",
    ],
)
def test_values_that_can_not_be_are_told_and_the_rest_is_salvaged(path: Path, statement: str) -> None:
    changed(path, statement)
    said = []
    for read in reads(path):
        with Library(path) as library:
            said.append(complaint(read, library))
    assert all(not one or str(path) in one for one in said)
    assert any(said)
    with Library(path) as library:
        found = list(library.salvage())
        assert len(found) == 3
        json.dumps([one for one in found if one])


def test_a_long_text_of_one_word_is_found_at_once(path: Path) -> None:
    with Library(path) as library:
        for rare in ("long _", "__ long", '"_ _" long'):
            assert library.search(rare) == []
        filled(library, "A line", "long " * 50_000)
        [hit] = library.search("long")
    assert hit.excerpt.count("long") == 24
    assert hit.excerpt.endswith("…")
