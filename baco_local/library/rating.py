"""Blind ratings: which of two settings' ideas somebody preferred, prompt by prompt."""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

QUESTIONS = ("quality", "diversity", "creativity")


@dataclass(frozen=True, slots=True)
class Rating:
    """comparison: what was compared, by a name that is the same each time. one, two: the settings. answer: 1 where the ideas
    of `one` were preferred, -1 where those of `two`, 0 where neither. created: seconds since 1970."""

    comparison: str
    prompt: str
    one: str
    two: str
    question: str
    answer: int
    created: float = 0.0


def rate(connection: sqlite3.Connection, given: Rating, texts: Sequence[Sequence[str]]) -> None:
    """A second answer to the same question takes the first one's place. texts: the ideas that were shown, of one and of two."""
    connection.execute(
        "INSERT INTO ratings (created, comparison, prompt, one, two, texts, question, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (comparison, prompt, question) DO UPDATE SET answer = excluded.answer, created = excluded.created, "
        "texts = excluded.texts",
        [
            time.time(),
            *(given.comparison, given.prompt, given.one, given.two),
            *(json.dumps(texts, ensure_ascii=False), given.question, given.answer),
        ],
    )


def ratings(connection: sqlite3.Connection, comparison: str | None = None) -> list[Rating]:
    """In the order in which they were given; of one comparison, or all."""
    rows = connection.execute(
        "SELECT comparison, prompt, one, two, question, answer, created FROM ratings WHERE ? IS NULL OR comparison = ? ORDER BY pk",
        [comparison, comparison],
    )
    return [Rating(*row) for row in rows]
