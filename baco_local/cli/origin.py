"""What `more` and `branch` take over of how ideas came about."""

from collections.abc import Mapping
from typing import Any

import click

from baco_local.origin import KEPT


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
