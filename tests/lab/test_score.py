"""`baco-local score`: texts in, figures out, and what is no text."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from baco_local.errors import UsageProblem
from baco_local.lab.lexical import lexical
from baco_local.lab.scoring import texts_of


def test_plain_lines_and_json_lines_are_the_same_texts(tmp_path: Path, baco: Any) -> None:
    texts = ["the sea at night", "a wolf at noon", "the sea at night again"]
    (tmp_path / "plain").write_text("\n".join(texts))
    (tmp_path / "lines").write_text("\n".join(json.dumps({"text": text, "index": 1}) for text in texts))
    one = json.loads(baco("score", tmp_path / "plain", "--json").stdout)
    two = json.loads(baco("score", tmp_path / "lines", "--json").stdout)
    assert one == two
    assert (one["texts"], one["prompts"], one["vectors"]) == (3, 1, "wordllama l2_supercat_256")
    assert len(one["metrics"]) == 11
    for name, value in lexical(texts).items():
        assert one["metrics"][name]["value"] == pytest.approx(value)


def test_prompts_are_scored_one_by_one() -> None:
    lines = [json.dumps({"prompt": prompt, "text": text}) for prompt, text in (("a", "x y"), ("b", "x y"), ("a", "z"))]
    assert texts_of(lines, "f") == {"a": ["x y", "z"], "b": ["x y"]}


def test_people_read_it_too(tmp_path: Path, baco: Any) -> None:
    done: subprocess.CompletedProcess[bytes] = baco("score", "-", "--lexical", stdin=None, input=b"a b c\na b d\n")
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert "2 texts\n" in said
    assert "self-bleu" in said
    assert "less is more diverse" in said
    assert "vectors: none" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no texts in it"),
        ('{"txt": "a"}', "line 1: is no JSON object"),
        ('x\n{"text": 5}', "line 2: `text` is 5"),
        ("{broken", "line 1"),
    ],
)
def test_what_is_no_list_of_texts(tmp_path: Path, baco: Any, content: str, says: str) -> None:
    (tmp_path / "f").write_text(content)
    done = baco("score", tmp_path / "f")
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_long_lists_and_a_mark_at_the_beginning(tmp_path: Path, baco: Any) -> None:
    words = "sea tide moon wolf light boat rope salt wind storm".split()
    lines = [" ".join(words[(at * step) % 10] for step in range(1, 13)) for at in range(3000)]
    (tmp_path / "many").write_text("\n".join(lines))
    assert baco("score", tmp_path / "many", "--lexical", timeout=60).returncode == 0
    (tmp_path / "bom").write_text(
        '{"prompt": "a", "text": "x y"}\n{"prompt": "a", "text": "x y"}\n', encoding="utf-8-sig"
    )
    assert b"2 texts\n" in baco("score", tmp_path / "bom", "--lexical").stdout


def test_generations_and_prompts_are_texts_too() -> None:
    assert texts_of(['{"prompt": "p", "generations": ["x", "y"]}'], "f") == {"p": ["x", "y"]}
    assert texts_of(['{"id": "1", "prompt": "p"}', '{"id": "2", "prompt": "q"}'], "f") == {"": ["p", "q"]}
    with pytest.raises(UsageProblem, match="is a sweep"):
        texts_of(['{"sweep": 1}'], "f")
    with pytest.raises(UsageProblem, match="which is no text"):
        texts_of(['{"text": "\\ud800"}'], "f")
