"""Every router, on same and different vocabularies, against the exact distribution over texts."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exact
import pytest
from oracle import write_model

import baco_local

CONTENT = [" a", " b", "a", "b", ".", ","]
MERGING = [",", "b", " b", "ab", "a", " a", "."]  # other ids, and "ab" as one piece
TOKENS = 4
SAMPLES = 3000
LIMIT = 4.0  # standard normal units: one false alarm in 30,000 tests

BASE = {
    "\n": {" a": 0.30, " b": 0.25, "a": 0.15, "b": 0.20, ".": 0.10},
    " a": {"b": 0.35, " b": 0.25, ".": 0.15, "a": 0.15, "": 0.10},
    " b": {",": 0.45, "a": 0.25, " a": 0.20, "b": 0.10},
    "a": {" a": 0.70, "b": 0.20, ".": 0.10},
    "b": {" b": 0.28, "a": 0.26, " a": 0.22, ",": 0.14, "": 0.10},
    ".": {" a": 0.55, "b": 0.25, " b": 0.20},
    ",": {" b": 0.85, "a": 0.10, " a": 0.05},
}
ALIGNED = {
    "\n": {" b": 0.80, "a": 0.15, ".": 0.05},
    " a": {"a": 0.60, " b": 0.22, ".": 0.18},
    " b": {"b": 0.50, ".": 0.30, "": 0.20},
    "a": {".": 0.50, "b": 0.30, " a": 0.20},
    "b": {"": 0.40, "b": 0.30, ".": 0.20, " a": 0.10},
    ".": {"": 0.50, " b": 0.40, "b": 0.10},
    ",": {" a": 0.90, "b": 0.10},
}
ALIGNED_MERGING = {
    **ALIGNED,
    " b": {"ab": 0.40, "b": 0.24, ".": 0.20, "": 0.16},
    "ab": {".": 0.36, " a": 0.34, "b": 0.20, "": 0.10},
}

ROUTERS: list[tuple[str, float | None]] = [
    ("p", 0.5),
    ("h", 1.3),
    ("punc", None),
    ("fc", None),
    ("p-punc", 0.6),
    ("p-fc", 0.6),
    ("h-punc", 1.2),
    ("h-fc", 1.2),
    ("rand", 0.4),
    ("base", None),
    ("aligned", None),
    ("nudging", 0.4),
]


def split(content: list[str]) -> Any:
    """SentencePiece's merging for our one- and two-letter pieces: earlier in the list merges first."""

    def pieces(text: str) -> list[str]:
        parts = list(text)
        while True:
            pairs = [
                (content.index(x + y), i) for i, (x, y) in enumerate(itertools.pairwise(parts)) if x + y in content
            ]
            if not pairs:
                return parts
            _, i = min(pairs)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]

    return pieces


@pytest.fixture(scope="module", params=["same", "different"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(an open pair, base's bigrams, aligned's)."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    other = CONTENT if request.param == "same" else MERGING
    rows = ALIGNED if request.param == "same" else ALIGNED_MERGING
    base = write_model(folder / "base.gguf", CONTENT, BASE)
    aligned = write_model(folder / "aligned.gguf", other, rows)
    with baco_local.open_pair(base=base, aligned=aligned) as opened:
        assert opened.same_vocabulary == (request.param == "same")
        yield opened, exact.Bigrams(BASE, split(CONTENT)), exact.Bigrams(rows, split(other))


def sample(pair: Any, steering: baco_local.Steering, seed: int = 1) -> Counter[str]:
    seen: Counter[str] = Counter()
    while seen.total() < SAMPLES:
        options = {"n": 500, "seed": seed, "max_tokens": TOKENS, "slots": 64}
        for variant in pair.ideas("x", steering=steering, **options):
            seen[variant.text + "|" * (variant.stop == "end")] += 1
        seed += 1
    return seen


def whole(**changes: Any) -> baco_local.Sampling:
    return baco_local.Sampling(min_p=0.0, **changes)


@pytest.mark.parametrize(("name", "threshold"), ROUTERS)
def test_texts_follow_the_exact_distribution(pair: Any, name: str, threshold: float | None) -> None:
    opened, base, aligned = pair
    expected = exact.distribution(base, aligned, exact.rule(name, threshold), TOKENS)
    assert sum(expected.values()) == pytest.approx(1)
    seen = sample(opened, baco_local.Steering(name, threshold, whole()))
    assert exact.excess(seen, expected) < LIMIT


def test_the_check_tells_routers_apart(pair: Any) -> None:
    """The same chi-square must reject the neighbours of the right rule, or it proves nothing."""
    opened, base, aligned = pair
    seen = sample(opened, baco_local.Steering("p-punc", 0.6, whole()))
    for name, threshold in [("p", 0.6), ("p-punc", 0.4), ("p-fc", 0.6), ("rand", 0.4), ("nudging", 0.6)]:
        wrong = exact.distribution(base, aligned, exact.rule(name, threshold), TOKENS)
        assert exact.excess(seen, wrong) > 2 * LIMIT, name


@pytest.mark.parametrize("source", ["aligned", "either"])
def test_content_source(pair: Any, source: str) -> None:
    """With `content_source` the rule also looks at aligned's top piece, which needs its logits while base speaks."""
    opened, base, aligned = pair
    steering = baco_local.Steering("punc", None, whole(), content_source=source)
    plain = sample(opened, baco_local.Steering("punc", None, whole()))
    seen = sample(opened, steering)
    expected = content_source_distribution(base, aligned, source)
    assert exact.excess(seen, expected) < LIMIT
    assert exact.excess(plain, expected) > 2 * LIMIT


def content_source_distribution(base: exact.Bigrams, aligned: exact.Bigrams, source: str) -> dict[str, float]:
    """Router `punc` whose verdict needs both rows: the same recursion with aligned's row at hand."""
    found: Counter[str] = Counter()

    def fires(b: exact.Seen, a: exact.Seen, text: str) -> bool:
        by_base = source == "either" and exact.is_format(exact.top(base.rows[b.through(text, base).last]))
        return by_base or exact.is_format(exact.top(aligned.rows[a.through(text, aligned).last]))

    def walk(text: str, left: int, speaker: str, b: exact.Seen, a: exact.Seen, weight: float) -> None:
        if left == 0:
            found[text] += weight  # type: ignore[assignment]
            return

        def commit(who: str, piece: str, p: float) -> None:
            if piece == "":
                found[text + "|"] += p  # type: ignore[assignment]
                return
            seen = exact.Seen(piece, len(text + piece))
            walk(text + piece, left - 1, who, seen if who == "base" else b2, seen if who == "aligned" else a2, p)

        if speaker == "aligned":
            a2, b2 = a.through(text, aligned), b
            for piece, p in aligned.rows[a2.last].items():
                if not any(map(str.isalnum, text)) or not exact.begins(piece, text):
                    commit("aligned", piece, weight * p)
                    continue
                b2 = b.through(text, base)
                if fires(b, a, text):
                    commit("aligned", piece, weight * p)
                else:
                    for other, q in exact.restricted(base.rows[b2.last], text).items():
                        commit("base" if other else "aligned", other or piece, weight * p * q)
                b2 = b
            return
        b2, a2 = b, a
        for piece, p in base.rows[b.last].items():
            if piece and not exact.begins(piece, text):
                commit("base", piece, weight * p)
            elif piece and source == "either" and exact.is_format(exact.top(base.rows[b.last])):
                a2 = a.through(text, aligned)
                for other, q in exact.restricted(aligned.rows[a2.last], text).items():
                    commit("aligned", other, weight * p * q)
                a2 = a
            else:
                a2 = a.through(text, aligned)
                if piece and not fires(b, a, text):
                    commit("base", piece, weight * p)
                else:
                    for other, q in exact.restricted(aligned.rows[a2.last], text).items():
                        commit("aligned", other, weight * p * q)
                a2 = a

    walk("", TOKENS, "aligned", exact.Seen(), exact.Seen(), 1.0)
    return dict(found)


@pytest.mark.parametrize(
    "sampling",
    [{"temperature": 0.6}, {"top_k": 2}, {"top_p": 0.75}, {"min_p": 0.45}, {"temperature": 0.0}],
    ids=lambda value: "-".join(map(str, *value.items())),
)
def test_sampling_shapes_the_speaker_but_not_the_router(pair: Any, sampling: dict[str, Any]) -> None:
    """The speaker's rows are truncated and tempered; `p_b` for the router is not."""
    opened, base, aligned = pair
    settings = baco_local.Sampling(**({"min_p": 0.0} | sampling))
    seen = sample(opened, baco_local.Steering("aligned", None, settings))
    rows = {last: shaped(row, settings) for last, row in aligned.rows.items()}
    shaped_aligned = exact.Bigrams(rows, aligned.split)
    expected = exact.distribution(base, shaped_aligned, exact.rule("aligned", None), TOKENS)
    assert exact.excess(seen, expected) < LIMIT


def shaped(row: exact.Row, sampling: baco_local.Sampling) -> exact.Row:
    ordered = sorted(row.items(), key=lambda item: -item[1])
    if sampling.temperature == 0:
        return {ordered[0][0]: 1.0}
    if sampling.top_k:
        ordered = ordered[: sampling.top_k]
    kept, mass = [], 0.0
    for piece, p in ordered:
        if mass >= sampling.top_p * sum(q for _, q in ordered) - 1e-9:
            break
        kept.append((piece, p))
        mass += p
    kept = [(piece, p) for piece, p in kept if p >= sampling.min_p * ordered[0][1]]
    weights = {piece: p ** (1 / sampling.temperature) for piece, p in kept}
    return {piece: weight / sum(weights.values()) for piece, weight in weights.items()}
