"""Quality: relevance that an echo doesn't buy, a judge that is judged, likelihoods that can be counted, and what remembers them."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted import ScriptedSide, engine

from baco_local.collaboration.settings import Request
from baco_local.errors import Problem, RoomProblem, UsageProblem
from baco_local.lab.judge import Judge
from baco_local.lab.likelihood import log_likelihoods
from baco_local.lab.quality import Memory, Quality, plugin, sample, scored
from baco_local.lab.reading import behind, shared
from baco_local.lab.relevance import echo, kept, relevance
from baco_local.lab.swept import Sweep
from baco_local.lab.vectors import embedder

PROMPT = "A name for a small bookshop that only opens at night"


def test_an_echo_is_counted_in_pairs_of_words() -> None:
    assert echo(PROMPT, PROMPT) == 1
    assert echo(PROMPT, "Night") == 1
    assert echo(PROMPT, "Moths") == echo(PROMPT, "") == 0
    assert echo(PROMPT, "a small bookshop burns") == pytest.approx(2 / 3)
    assert [kept(PROMPT, text) for text in (PROMPT, "Moths and small bookshop keys", "a small bookshop burns")] == [
        0,
        1,
        pytest.approx(2 / 3),
    ]


def test_relevance_prefers_what_is_near_and_no_mere_repetition() -> None:
    near, far, echoed, empty = relevance(
        embedder(), PROMPT, ["The Midnight Reader, books after dark", "Boil the pasta in salted water", PROMPT, ""]
    )
    assert near > far
    assert echoed == empty == 0
    assert -1 <= far <= near <= 1
    assert relevance(embedder(), PROMPT, []) == []


def judging(text: str) -> dict[str, float]:
    """Says yes to everything, and rather yes to an answer with the task's own word (and rather no, asked if it is bad)."""
    task, _, rest = text.partition("Answer")
    fits = any(word in task and word in rest for word in ("sea", "wolf"))
    good = "good" in rest
    likely = 0.9 if fits == good else 0.7
    return {"yes": likely, "no": 1 - likely}


PIECES = ["yes", "no", "Yes", "sea", "wolf", "good", "bad", "Answer", " "]


def test_a_judge_is_asked_both_ways_and_checked() -> None:
    side = ScriptedSide("judge.gguf", PIECES, judging)
    judge = Judge(side)
    good, bad = judge("the sea", ["a sea song", "a wolf song"])
    odds = lambda p: math.log(p / (1 - p))  # noqa: E731
    assert good == pytest.approx(1 / (1 + math.exp(-(odds(0.9) - odds(0.7)) / 2)))
    assert good > 0.5 > bad
    assert judge.prefers([("the sea", "sea"), ("the sea", "wolf"), ("a wolf", "wolf"), ("a wolf", "tree")]) == [
        1,
        0,
        1,
        0.5,
    ]
    assert judge("the sea", []) == []


def test_many_ideas_are_judged_as_one_by_one() -> None:
    texts = [("sea " * (at % 5) + "wolf").strip() for at in range(40)]
    for cuts in (True, False):
        judge = Judge(ScriptedSide("judge.gguf", PIECES, judging, cuts=cuts))
        assert judge("the sea", texts) == [judge("the sea", [text])[0] for text in texts]


def test_a_judge_without_words_for_it_is_none() -> None:
    with pytest.raises(Problem, match="no words for yes and no"):
        Judge(ScriptedSide("judge.gguf", ["sea"], judging))


def test_texts_longer_than_a_context_are_told() -> None:
    side = ScriptedSide("m.gguf", PIECES, judging)
    side.n_ctx = 8
    with pytest.raises(RoomProblem, match="its context holds 8"):
        list(behind(side, [[[2] * 9]], lambda row: 0))
    assert shared([[1, 2, 3], [1, 2, 4]]) == 2
    assert shared([[1, 2], [1, 2]]) == 1  # the last one is to have logits of its own


def test_log_likelihoods_are_the_models_own() -> None:
    def one(text: str) -> dict[str, float]:
        return (
            {"sea": 0.5, "wolf": 0.3, " ": 0.2}
            if text.endswith((" ", "\n")) or "s" not in text
            else {" ": 0.9, "sea": 0.1}
        )

    def two(text: str) -> dict[str, float]:
        return {"sea": 0.25, "wolf": 0.25, " ": 0.5}

    pair = engine(ScriptedSide("base", PIECES, one), ScriptedSide("aligned", PIECES, two))
    request = Request("x")
    base = log_likelihoods(pair, "base", request, ["sea", "sea sea", ""])
    aligned = log_likelihoods(pair, "aligned", request, ["sea", "sea sea" * 30, ""])
    assert base[0] == pytest.approx(math.log(0.5), abs=1e-5)
    assert base[1] == pytest.approx((math.log(0.5) + math.log(0.9) + math.log(0.5)) / 3, abs=1e-5)
    assert aligned[0] == pytest.approx(math.log(0.25), abs=1e-5)
    assert aligned[1] == pytest.approx((60 * math.log(0.25) + 30 * math.log(0.5)) / 90, abs=1e-4)  # in several batches
    assert math.isnan(base[2])
    assert math.isnan(aligned[2])


def test_real_models_find_their_own_words_likelier(starter_pair: Any) -> None:
    request = Request("Name the capital of France.")
    sense, mess = "The capital of France is Paris.", "Paris The capital of. France is is the"
    for speaker in ("base", "aligned"):
        found = log_likelihoods(starter_pair.engine, speaker, request, [sense, mess])
        assert -6 < found[0] < 0
        assert found[0] > found[1] + 1
    [variant] = starter_pair.ideas("Names for a boat", n=1, max_tokens=8)  # the pair writes on as before
    assert variant.text


def test_a_real_judge_reads_ideas_together_as_alone(starter_pair: Any) -> None:
    judge = Judge(starter_pair.sides[1])
    texts = ["The Tide Reader", "Boil the eggs for ten minutes, then cool them.", "", "Ünïcödé 🌊 " * 20]
    together = judge("A name for a boat", texts)
    assert all(0 < score < 1 for score in together)
    for text, score in zip(texts, together, strict=True):
        assert judge("A name for a boat", [text])[0] == pytest.approx(
            score, abs=0.12
        )  # quantised kernels differ by batch


def swept(texts: Sequence[str]) -> Sweep:
    settings = [{"method": "p", "value": 0.5}, {"method": "p", "value": 0.9}]
    header = {
        "k": len(texts),
        "settings": settings,
        "prompts": [{"id": "a", "prompt": "A"}, {"id": "b", "prompt": "B"}],
    }
    return Sweep(
        header,
        {(key, "p", value): [{"text": f"{key}{text}"} for text in texts] for key in "ab" for value in (0.5, 0.9)},
    )


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def measure(prompt: str, texts: Sequence[str]) -> list[float]:
        asked.append((prompt, tuple(texts)))
        return [float(len(text)) if text != "azz" else math.nan for text in texts]

    found = swept(["x", "zz"])
    quality = Quality("length", "me", measure)
    first = dict(scored(found, quality, Memory(tmp_path / "m")))
    assert first["a"]["a", "p", 0.5][0] == 2
    assert math.isnan(first["a"]["a", "p", 0.9][1])
    assert len(asked) == 2
    with (tmp_path / "m").open("a") as file:
        file.write('{"broken')
    dict(scored(found, Quality("other", "me", lambda prompt, texts: [0.123456789] * 4), Memory(tmp_path / "m")))
    assert dict(scored(found, Quality("other", "me", lambda prompt, texts: []), Memory(tmp_path / "m")))["b"][
        "b", "p", 0.5
    ] == [
        0.123457,
        0.123457,
    ]
    again = dict(scored(found, quality, Memory(tmp_path / "m")))
    assert len(asked) == 2
    assert json.dumps(str(again)) == json.dumps(str(first))
    dict(scored(found, Quality("length", "another", measure), Memory(tmp_path / "m")))
    dict(scored(swept(["x", "y"]), quality, Memory(tmp_path / "m")))
    assert len(asked) == 6
    dict(scored(found, Quality("length", "first only", measure, first=1), Memory(tmp_path / "m")))
    assert asked[-1] == ("B", ("bx", "bx"))
    with pytest.raises(Problem, match="2 numbers for 4 ideas"):
        dict(scored(found, Quality("wrong", "me", lambda prompt, texts: [1.0, 2.0]), Memory(tmp_path / "m")))
    with pytest.raises(Problem, match="too large"):
        dict(scored(found, Quality("wrong", "me", lambda prompt, texts: [math.inf] * 4), Memory(tmp_path / "m")))


@pytest.mark.parametrize(("methods", "settings"), [(9, 5), (11, 5), (2, 3), (1, 1)])
def test_a_judge_is_checked_with_ideas_of_all_settings(methods: int, settings: int) -> None:
    found = {(f"m{at}", float(value)): f"{at} {value}" for at in range(methods) for value in range(settings)}
    header = {
        "k": 1,
        "settings": [{"method": method, "value": value} for method, value in found],
        "prompts": [{"id": str(prompt), "prompt": str(prompt)} for prompt in range(20)],
    }
    ideas = {(str(prompt), *place): [{"text": text}] for prompt in range(20) for place, text in found.items()}
    chosen = sample(Sweep(header, ideas))
    assert {text for _, text in chosen} == set(found.values())
    assert len(chosen) == 20 * min(10, len(found))
    for prompt in ("0", "7"):
        own = [text for one, text in chosen if one == prompt]
        assert len(set(own)) == len(own)


def test_a_metric_of_ones_own(tmp_path: Path) -> None:
    script = tmp_path / "reward.py"
    script.write_text("import json, sys\nfor line in sys.stdin:\n    print(len(json.loads(line)['text']))\n")
    quality = plugin(f"reward={sys.executable} {script}")
    assert quality.name == "reward"
    assert quality.measure("A", ["x", "zzé"]) == [1, 3]
    for given, says in [("reward", "give a name"), ("=x", "give a name"), ("r='x", "No closing quotation")]:
        with pytest.raises(UsageProblem, match=says):
            plugin(given)
    with pytest.raises(UsageProblem, match="can't be run"):
        plugin("r=/nowhere/at/all").measure("A", ["x"])
    with pytest.raises(Problem, match="exit code 3"):
        plugin(f"r={sys.executable} -c 'raise SystemExit(3)'").measure("A", ["x"])
    with pytest.raises(Problem, match="something else than a number"):
        plugin(f"r={sys.executable} -c 'print(1, \"x\")'").measure("A", ["x", "y"])


def test_numbers_are_finite() -> None:
    assert np.isfinite(relevance(embedder(), "🌊", ["🌊", "\x00", "ĳ" * 3000])).all()
