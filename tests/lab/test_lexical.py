"""The lexical metrics against cases worked by hand."""

import gzip
import math
import random

import pytest

from baco_local.lab import lexical as lex

SAME = ["the sea is calm"] * 3
OTHER = ["the sea is calm", "a wolf ran home", "moon over slow water"]


def test_words_are_what_people_call_words() -> None:
    assert lex.words("The moon's “light”, won’t—stop 42!") == ["the", "moon's", "light", "won’t", "stop", "42"]


def test_distinct() -> None:
    assert lex.distinct(["a b a", "a c"], 1) == 3 / 5
    assert lex.distinct(["a b a", "a c"], 2) == 1.0  # ab, ba, ac: none crosses from one text to the next
    assert lex.distinct(["a b", "a b"], 2) == 0.5
    assert lex.distinct(["a", ""], 2) is None


def test_expectation_adjusted() -> None:
    assert lex.expectation_adjusted(["a b a"], 10) == pytest.approx(2 / (10 * (1 - 0.9**3)))
    assert lex.expectation_adjusted(["..."]) is None
    drawn = random.Random(3).choices([f"w{n}" for n in range(500)], k=2000)
    assert lex.expectation_adjusted([" ".join(drawn)], 500) == pytest.approx(1, abs=0.03)


def test_self_bleu() -> None:
    assert lex.self_bleu(SAME) == pytest.approx(1)
    assert lex.self_bleu(["a b c", "d e f"]) == 0
    assert lex.self_bleu(["alone"]) is None
    # "a b c d" against "a b x y": 2 of 4 words, (1+1)/(3+1) pairs, (0+1)/(2+1) triples, (0+1)/(1+1) fours
    by_hand = math.exp(sum(map(math.log, (2 / 4, 2 / 4, 1 / 3, 1 / 2))) / 4)
    assert lex.self_bleu(["a b c d", "a b x y"]) == pytest.approx(by_hand)
    # the shorter of two pays for it: e^(1 - 3/2)
    short = math.exp(1 - 3 / 2) * math.exp(sum(map(math.log, (1, 1, 1, 1))) / 4)
    long = math.exp(sum(map(math.log, (2 / 3, 2 / 3, 1 / 2, 1))) / 4)
    assert lex.self_bleu(["a b", "a b c"]) == pytest.approx((short + long) / 2)


def test_rouge_l() -> None:
    assert lex.rouge_l(SAME) == 1
    assert lex.rouge_l(OTHER) == 0
    assert lex.rouge_l(["a b c d", "b x d"]) == pytest.approx(2 * 2 / 7)
    assert lex.rouge_l(["a"]) is None


def test_the_longest_common_subsequence_is_that_of_the_table() -> None:
    chance = random.Random(1)
    for _ in range(200):
        one, two = ([chance.choice("abcd") for _ in range(chance.randint(0, 70))] for _ in range(2))
        table = [[0] * (len(two) + 1) for _ in range(len(one) + 1)]
        for i, x in enumerate(one):
            for j, y in enumerate(two):
                table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
        assert lex.common(one, two) == table[-1][-1]


def test_compression() -> None:
    joined = b"a b\nc d"
    assert lex.compression(["a  b", "c\nd"]) == len(joined) / len(gzip.compress(joined, 9, mtime=0))
    assert (lex.compression(SAME * 10) or 0) > (lex.compression(OTHER * 10) or 9) > 1
    assert lex.compression([]) is None


@pytest.mark.parametrize("name", lex.METRICS)
def test_every_metric_tells_the_same_from_the_different(name: str) -> None:
    same, other = lex.lexical(SAME)[name], lex.lexical(OTHER)[name]
    assert same is not None
    assert other is not None
    assert (other > same) == (name not in lex.LESS)
