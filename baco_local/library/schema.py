"""The tables of the library, and the steps from every older version to this one."""

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from textwrap import dedent

# Words used: a session holds trees of nodes. A prompt is a root; variants (ideas) are its children; a branch goes on from
# the first `kept` characters of its parent's text, an edit replaces what follows them. Every node holds only its own
# segment. A node never changes once `stop` says how it ended: triggers hold it.
STEPS = [
    dedent(
        """
        CREATE TABLE sessions (
            pk INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            created REAL NOT NULL,       -- seconds since 1970; order is by pk, because clocks go backwards
            deleted REAL                 -- when it was put aside
        );
        CREATE TABLE writers (           -- processes that write nodes; each holds a lock file while it lives
            pk INTEGER PRIMARY KEY,
            token TEXT NOT NULL UNIQUE
        );
        CREATE TABLE origins (           -- what nodes of one run have in common, as JSON
            pk INTEGER PRIMARY KEY,
            content TEXT NOT NULL UNIQUE
        );
        CREATE TABLE nodes (
            pk INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
            parent INTEGER REFERENCES nodes ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind IN ('prompt', 'variant', 'branch', 'edit')),
            created REAL NOT NULL,
            text TEXT NOT NULL,          -- its own segment
            kept INTEGER NOT NULL,       -- characters of the parent's whole text that come before it
            kept_tokens INTEGER NOT NULL,
            origin INTEGER REFERENCES origins,
            writer INTEGER REFERENCES writers ON DELETE SET NULL,
            seed TEXT,                   -- up to 2**64 - 1
            threshold REAL,
            moves TEXT,                  -- JSON: [seconds since it began, router, threshold] each time they changed
            tokens INTEGER,              -- with the kept ones
            base_tokens INTEGER,
            seconds REAL,
            stop TEXT,                   -- NULL while it is being written
            deleted REAL
        );
        CREATE INDEX nodes_by_session ON nodes (session);
        CREATE INDEX nodes_by_parent ON nodes (parent);
        CREATE INDEX nodes_unfinished ON nodes (writer) WHERE stop IS NULL;
        CREATE TABLE traces (
            node INTEGER PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,
            data BLOB NOT NULL           -- traces.packed()
        );
        CREATE TABLE marks (
            node INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind IN ('star', 'reject', 'tag', 'note')),
            value TEXT NOT NULL,
            created REAL NOT NULL,
            PRIMARY KEY (node, kind, value)
        ) WITHOUT ROWID;
        CREATE INDEX marks_by_kind ON marks (kind, value);

        CREATE VIRTUAL TABLE words USING fts5 (
            text, content = 'nodes', content_rowid = 'pk', tokenize = 'unicode61 remove_diacritics 2'
        );
        CREATE TRIGGER words_of_whole_nodes AFTER INSERT ON nodes WHEN new.stop IS NOT NULL BEGIN
            INSERT INTO words (rowid, text) VALUES (new.pk, new.text);
        END;
        CREATE TRIGGER words_of_ended_nodes AFTER UPDATE OF stop ON nodes WHEN old.stop IS NULL AND new.stop IS NOT NULL BEGIN
            INSERT INTO words (rowid, text) VALUES (new.pk, new.text);
        END;
        CREATE TRIGGER words_of_purged_nodes AFTER DELETE ON nodes WHEN old.stop IS NOT NULL BEGIN
            INSERT INTO words (words, rowid, text) VALUES ('delete', old.pk, old.text);
        END;
        CREATE TRIGGER nodes_never_change
            BEFORE UPDATE OF id, session, parent, kind, created, text, kept, seed, tokens, stop ON nodes
            WHEN old.stop IS NOT NULL BEGIN
            SELECT RAISE (ABORT, 'a finished node never changes');
        END;
        """
    ),
    dedent(
        """
        CREATE TABLE ratings (           -- answers of blind comparisons
            pk INTEGER PRIMARY KEY,
            created REAL NOT NULL,
            comparison TEXT NOT NULL,
            prompt TEXT NOT NULL,
            one TEXT NOT NULL,           -- the settings
            two TEXT NOT NULL,
            texts TEXT NOT NULL,         -- JSON: the ideas that were shown, of one and of two
            question TEXT NOT NULL CHECK (question IN ('quality', 'diversity', 'creativity')),
            answer INTEGER NOT NULL CHECK (answer IN (-1, 0, 1)),
            UNIQUE (comparison, prompt, question)
        );
        """
    ),
]
VERSION = len(STEPS)


def statements(script: str) -> Iterator[str]:
    """One after the other: `executescript` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def strange(connection: sqlite3.Connection, version: int) -> str:
    """A table, trigger or view that is missing, or not as ours, by name; "". Triggers and views are programs: another's are not run."""
    found = objects(connection)
    ours = plan(version)
    for name, (kind, sql) in ours.items():
        if found.get(name, ("", ""))[0] != kind or (kind == "trigger" and found[name][1] != sql):
            return name
    return next((name for name, (kind, _) in found.items() if kind in ("trigger", "view") and name not in ours), "")


def objects(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    rows = connection.execute("SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'trigger', 'view')")
    return {name: (kind, sql) for name, kind, sql in rows}


@functools.cache
def plan(version: int) -> dict[str, tuple[str, str]]:
    """What a library of this version has."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in STEPS[:version]:
            for statement in statements(step):
                connection.execute(statement)
        return objects(connection)
