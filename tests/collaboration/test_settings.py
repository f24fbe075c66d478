import dataclasses
import math
from pathlib import Path

import pytest

from baco_local.catalog.given import given_entry
from baco_local.collaboration.routers import ROUTERS, router
from baco_local.collaboration.settings import Request, Sampling, Steering, steering
from baco_local.errors import UsageProblem
from baco_local.pair import own_steering


def test_every_router_of_the_method_is_there() -> None:
    names = "p h punc fc p-punc p-fc h-punc h-fc rand base aligned nudging"
    assert set(ROUTERS) == set(names.split())
    assert Steering().router == "p-punc"
    assert Steering().threshold == 0.35


@pytest.mark.parametrize("name", [name for name, found in ROUTERS.items() if found.limits])
def test_more_diversity_is_always_more_base(name: str) -> None:
    found = router(name)
    thresholds = [found.at(d / 10) for d in range(11)]
    assert thresholds == sorted(thresholds, reverse=not found.rising)
    assert len(set(thresholds)) == 11
    assert all(found.check(threshold) == threshold for threshold in thresholds)
    assert all(map(math.isfinite, thresholds))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: router("p-pnc"), "did you mean p-punc"),
        (lambda: router("xyz"), "there are p-punc"),
        (lambda: Steering("p", 1.2), "0 to 1"),
        (lambda: Steering("h", -0.1), "takes 0 to 100"),
        (lambda: Steering("h", math.inf), "out of range"),
        (lambda: Steering("p", math.nan), "out of range"),
        (lambda: Steering("fc", 0.5), "no threshold"),
        (lambda: Steering("aligned", base_share=0.5), "no threshold"),
        (lambda: Steering("p", 0.3, base_share=0.5), "not both"),
        (lambda: Steering("p", base_share=1.5), "base share"),
        (lambda: Steering("p", content_source="both"), "base, aligned, either"),
        (lambda: router("p").at(-0.1), "diversity"),
        (lambda: Sampling(temperature=-1), "temperature"),
        (lambda: Sampling(top_p=2), "top_p"),
        (lambda: Request(" \n"), "prompt is empty"),
        (lambda: Request("x", n=0), "-n 0 is out of range"),
        (lambda: Request("x", n=1000), "1 to 500"),
        (lambda: Request("x", max_tokens=0), "--max-tokens"),
        (lambda: Request("x", seed=-1), "--seed"),
        (lambda: Request("x", mode="chat"), "instruct or continue"),
        (lambda: Request("x", first="base"), "first"),
        (lambda: Request("x", stop=("",)), "stop string is empty"),
        (lambda: Request("x\udcff"), "not valid UTF-8"),
    ],
)
def test_what_does_not_fit_is_said(make, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageProblem, match=says):
        make()


def test_settings_of_a_pair_and_what_is_given_over_them() -> None:
    own = {"router": "p", "threshold": 0.7, "temperature": 0.8}
    assert steering(own).threshold == 0.7
    assert steering(own).sampling.temperature == 0.8
    assert steering(own, threshold=0.2, temperature=None).threshold == 0.2
    other = steering(own, router="p-fc")
    assert (other.router, other.threshold) == ("p-fc", Steering("p-fc").threshold)
    assert steering(own, base_share=0.5).threshold is None
    with pytest.raises(UsageProblem):
        steering({"router": "nonsense"})


def test_a_mistake_in_a_pairs_settings_names_its_place(tmp_path: Path) -> None:
    entry = given_entry(same=tmp_path / "x.gguf")
    assert entry
    wrong = dataclasses.replace(entry, settings={"temperature": -1.0})
    with pytest.raises(UsageProblem, match=r"^the command line: \[pairs\.x\.settings\]: temperature"):
        own_steering(wrong)
