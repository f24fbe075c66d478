"""A blind comparison of two settings of a sweep: what is shown in which order, and what the answers come to."""

import hashlib
import json
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from baco_local.errors import UsageProblem
from baco_local.lab.swept import Sweep
from baco_local.library.rating import QUESTIONS, Rating

Z = 1.96  # normal quantile of a 95 % interval


@dataclass(frozen=True, slots=True)
class Pairing:
    """Ideas of both settings for a prompt. key: its id and itself, as two may say the same. swapped: those of `two` come first."""

    key: str
    prompt: str
    one: tuple[str, ...]
    two: tuple[str, ...]
    swapped: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of two settings of a sweep, by (method, value). name: the same each time the same ideas are compared."""

    name: str
    one: tuple[str, float]
    two: tuple[str, float]
    pairings: tuple[Pairing, ...]


def comparison(sweep: Sweep, one: str, two: str, ideas: int, seed: int) -> Comparison:
    """one, two: a setting each, as `p-punc=0.4`, in any order. The order of the prompts and the sides come from the seed.
    Raises UsageProblem."""
    first, second = sorted((setting_of(sweep, one), setting_of(sweep, two)))
    if first == second:
        raise UsageProblem(f"{one} and {two} are one setting; give two")
    coin = random.Random(seed)
    found = [
        Pairing(
            f"{key}: {prompt}",
            prompt,
            texts(sweep, key, first, ideas),
            texts(sweep, key, second, ideas),
            coin.random() < 0.5,
        )
        for key, prompt in sweep.prompts.items()
    ]
    what = json.dumps([first, second, [(pairing.key, pairing.one, pairing.two) for pairing in found]])
    coin.shuffle(found)
    return Comparison(hashlib.blake2b(what.encode(), digest_size=8).hexdigest(), first, second, tuple(found))


def texts(sweep: Sweep, key: str, setting: tuple[str, float], ideas: int) -> tuple[str, ...]:
    return tuple(str(idea["text"]).strip() for idea in sweep.ideas[key, *setting][:ideas])


def setting_of(sweep: Sweep, given: str) -> tuple[str, float]:
    """METHOD=VALUE, where the value nearest to the given one is meant; a method alone is its middle setting."""
    method, _, value = given.partition("=")
    values = [number for name, number in sweep.settings if name == method]
    if not values:
        methods = ", ".join(dict.fromkeys(name for name, _ in sweep.settings))
        raise UsageProblem(f"{given}: there is no {method or 'such method'} in this sweep; there are {methods}")
    if not value:
        return method, values[len(values) // 2]
    try:
        wanted = float(value)
    except ValueError:
        raise UsageProblem(f"{given}: give a method and one of its values, as in p-punc=0.4") from None
    nearest = min(values, key=lambda number: abs(number - wanted))
    if not math.isclose(nearest, wanted, rel_tol=1e-4):
        raise UsageProblem(f"{given}: {method} has {', '.join(f'{number:g}' for number in values)} in this sweep")
    return method, nearest


def name_of(setting: tuple[str, float]) -> str:
    return f"{setting[0]}={setting[1]:g}"


def unanswered(comparison: Comparison, given: Iterable[Rating]) -> Iterator[tuple[Pairing, list[str]]]:
    """Each pairing with the questions that are still open."""
    known = {(rating.prompt, rating.question) for rating in given}
    for pairing in comparison.pairings:
        if questions := [question for question in QUESTIONS if (pairing.key, question) not in known]:
            yield pairing, questions


@dataclass(frozen=True, slots=True)
class Preference:
    """How often one was preferred, the other, and neither. share: of one, in [0, 1], where neither counts half for each; low and
    high: its 95 % interval (Wilson 1927). All three 0.5, 0 and 1 without an answer."""

    one: int
    two: int
    neither: int
    share: float
    low: float
    high: float

    def record(self) -> dict[str, float]:
        names = ("one", "two", "neither", "share", "low", "high")
        return {name: round(getattr(self, name), 4) for name in names}


def preference(answers: Sequence[int]) -> Preference:
    """answers: 1, -1 and 0, as in `Rating`."""
    one, two, neither = (answers.count(kind) for kind in (1, -1, 0))
    n = len(answers)
    if not n:
        return Preference(0, 0, 0, 0.5, 0.0, 1.0)
    share = (one + neither / 2) / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    reach = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Preference(one, two, neither, share, max(0.0, middle - reach), min(1.0, middle + reach))


def preferences(given: Iterable[Rating]) -> dict[str, Preference]:
    """By question, and of all of them together; the latter's interval takes them as independent, which they are not quite."""
    found = list(given)
    by = {question: preference([one.answer for one in found if one.question == question]) for question in QUESTIONS}
    return {**by, "all three": preference([one.answer for one in found])}
