"""What the library keeps of how ideas came about, and what `more` and `branch` take over of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

# What makes ideas what they are, beside the prompt, the seed and the machine: `more` and `branch` take these over.
KEPT = (
    "pair base aligned lora same cache_type router threshold base_share max_tokens temperature top_k top_p min_p "
    "repeat_penalty frequency_penalty presence_penalty system carry_on stop first content_source"
).split()


def origin_of(given: dict[str, Any], entry: Any, steering: Any) -> dict[str, Any]:
    """What the library keeps of how ideas came about: enough to write more like them."""
    from baco_local import __version__

    options = {name: given[name] for name in KEPT}
    for side in ("base", "aligned", "lora", "same"):
        options[side] = str(Path(options[side]).expanduser().absolute()) if options[side] else None
    sampling = steering.sampling
    options |= {"router": steering.router, "threshold": steering.threshold, "pair": given["pair"]}
    options |= {name: getattr(sampling, name) for name in ("temperature", "top_p", "min_p")}
    return {"pair": entry.name, "files": files_of(entry), "options": options, "version": __version__}


def files_of(entry: Any) -> dict[str, dict[str, Any]]:
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


def taken_over(context: click.Context, given: dict[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an earlier run, where this command line doesn't give its own."""
    own = {name for name in given if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE}
    if own & {"threshold", "diversity", "base_share", "router"}:
        own |= {"threshold", "base_share"}
    if own & {"pair", "base", "aligned", "lora", "same"}:
        own |= {"pair", "base", "aligned", "lora", "same"}
    before = origin.get("options", {})
    taken = {name: before[name] for name in KEPT if name in before and name not in own}
    if "stop" in taken:
        taken["stop"] = tuple(taken["stop"])
    return given | taken
