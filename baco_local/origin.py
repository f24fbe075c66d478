"""What the library keeps of how ideas came about: enough to write more like them, and to see that a model has changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line starts without numpy
    from baco_local.catalog.entries import PairEntry
    from baco_local.collaboration.settings import Request, Steering

SIDES = ("base", "aligned", "lora", "same")
# Options by the names that `ideas` gives them, and what they are called elsewhere.
OF_REQUEST = {"max_tokens": "max_tokens", "system": "system", "first": "first"}
OF_STEERING = {name: name for name in ("router", "threshold", "base_share", "content_source")}
OF_SAMPLING = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repeat_penalty": "repeat",
    "frequency_penalty": "frequency",
    "presence_penalty": "presence",
}
KEPT = ("pair", *SIDES, "cache_type", *OF_STEERING, *OF_REQUEST, *OF_SAMPLING, "carry_on", "stop")


def origin_of(entry: "PairEntry", request: "Request", steering: "Steering", given: Mapping[str, Any]) -> dict[str, Any]:
    """given: which pair or files were asked for, and with which cache type; by the names of the options."""
    from baco_local import __version__

    options = {"pair": given.get("pair"), "cache_type": given.get("cache_type", "f16")}
    for side in SIDES:
        options[side] = str(Path(given[side]).expanduser().absolute()) if given.get(side) else None
    options |= {name: getattr(request, field) for name, field in OF_REQUEST.items()}
    options |= {name: getattr(steering, field) for name, field in OF_STEERING.items()}
    options |= {name: getattr(steering.sampling, field) for name, field in OF_SAMPLING.items()}
    options |= {"carry_on": request.mode == "continue", "stop": list(request.stop)}
    return {"pair": entry.name, "files": files_of(entry), "options": options, "version": __version__}


def steering_of(origin: Mapping[str, Any]) -> "Steering | None":
    """What the ideas were written under; None where an origin doesn't say, or says what no longer can be."""
    from baco_local.collaboration.settings import steering
    from baco_local.errors import UsageProblem

    options = origin.get("options", {})
    if "router" not in options:
        return None
    names = OF_STEERING | OF_SAMPLING
    try:
        return steering({names[key]: value for key, value in options.items() if key in names and value is not None})
    except (UsageProblem, TypeError):
        return None


def same_files(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Are they the same models, as far as can be told: by checksum, else by size, else by where they are?"""
    if one.keys() != two.keys():
        return False
    for side in one:
        for key in ("sha256", "size", "path"):
            here, there = one[side].get(key), two[side].get(key)
            if here and there:
                if here != there:
                    return False
                break
    return True


def demand_same_models(entry: "PairEntry", files: Mapping[str, Any]) -> None:
    """Raises UsageProblem where a pair's models are not those of these files, by size and checksum."""
    from baco_local.errors import UsageProblem

    if not same_files({side: told(facts) for side, facts in files_of(entry).items()}, files):
        raise UsageProblem(
            f"{entry.name}: its models are not those that wrote the sweep; name those that did: --pair, or for `report` files (--base, --aligned …)"
        )


def told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of a file's facts stays true wherever it lies."""
    return {key: facts[key] for key in ("size", "sha256")}


def files_of(entry: "PairEntry") -> dict[str, dict[str, Any]]:
    """What tells a pair's files from others, as far as it is known without reading them."""
    from baco_local.catalog.checksums import known

    return {
        side: {
            "path": str(file.path),
            "size": file.exact_size or (file.path.stat().st_size if file.present else None),
            "sha256": file.checksum or known(file.path) or None,
        }
        for side, file in entry.files.items()
    }
