"""What a sweep compares: methods, and of each as many settings, from safe to wild."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from baco_local.collaboration.routers import router
from baco_local.collaboration.settings import Sampling, Steering
from baco_local.errors import UsageProblem

DIVERSITIES = (0.1, 0.25, 0.4, 0.6, 0.85)  # of routers with a threshold
TEMPERATURES = (0.5, 0.75, 1.0, 1.25, 1.5)  # of those without one
WHOLE = "-whole"  # a model that draws from its whole distribution
METHODS = ("p", "h", "rand", "p-punc", "p-fc", "h-punc", "nudging", "base", "aligned")
MORE = ("base" + WHOLE, "aligned" + WHOLE)


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of a method's path. value: the threshold, or the temperature where the router has none."""

    method: str
    value: float
    steering: Steering


def grid(
    methods: Sequence[str],
    own: Steering,
    diversities: Sequence[float] = DIVERSITIES,
    temperatures: Sequence[float] = TEMPERATURES,
) -> tuple[Setting, ...]:
    """Every method's settings, method by method. own: the pair's, whose sampling holds but for what a method sweeps.

    diversities: in [0, 1], each router's threshold by `Router.at`. As many temperatures: a method with more settings has more
    chances to lie on the frontier. Raises UsageProblem.
    """
    if len(diversities) != len(temperatures):
        raise UsageProblem(
            f"{len(diversities)} diversities and {len(temperatures)} temperatures: give as many, so that every method has "
            "as many chances"
        )
    if not diversities:
        raise UsageProblem("give at least one diversity and one temperature")
    for values in (methods, diversities, temperatures):
        if len(set(values)) < len(values):
            raise UsageProblem(f"{', '.join(map(str, values))}: one of them is given twice")
    found = [setting for method in methods for setting in of_method(method, own.sampling, diversities, temperatures)]
    if len({(one.method, one.value) for one in found}) < len(found):
        raise UsageProblem("two settings of a method come to the same threshold; give values further apart")
    if not found:
        raise UsageProblem("give at least one method")
    return tuple(found)


def of_method(
    method: str, sampling: Sampling, diversities: Iterable[float], temperatures: Iterable[float]
) -> list[Setting]:
    plain = method.removesuffix(WHOLE) if method in MORE else method
    chosen = router(plain)
    if chosen.limits:
        thresholds = [round(chosen.at(diversity), 6) for diversity in diversities]
        return [Setting(method, value, Steering(plain, value, sampling)) for value in thresholds]
    if method in MORE:
        sampling = replace(sampling, min_p=0.0, top_p=1.0, top_k=0)
    return [
        Setting(method, value, Steering(plain, sampling=replace(sampling, temperature=value))) for value in temperatures
    ]
