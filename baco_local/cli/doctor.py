"""`baco-local doctor`: what runs here, how it was built, and whether each pair's vocabularies agree."""

import json
import platform
import sys
from typing import Any

import click

from baco_local import __version__
from baco_local.errors import Problem


@click.command("doctor", short_help="Show versions, hardware and the state of each pair.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(as_json: bool) -> None:
    """Show versions, how llama.cpp was built, the CPU, memory, folders and the state of every pair."""
    found = examine()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for title, facts in found.items():
        click.echo(title)
        for key, value in facts.items():
            click.echo(f"  {key}: {value}")


def examine() -> dict[str, dict[str, Any]]:
    from baco_local import native, paths
    from baco_local.runtime import library, machine

    memory = machine.memory()
    found: dict[str, dict[str, Any]] = {
        "program": {
            "baco-local": __version__,
            "python": f"{platform.python_version()} ({sys.executable})",
            "kernel": native.description(),
        },
        "machine": {
            "system": platform.platform(),
            "cpu": machine.cpu_name(),
            "threads in use": machine.cores(),
            "memory": f"{memory[0] / 1e9:.1f} GB, {memory[1] / 1e9:.1f} GB available" if memory else "unknown",
        },
        "folders": {kind: str(paths.folder(kind)) for kind in ("config", "data", "cache", "state")},
    }
    try:
        found["llama.cpp"] = {
            "llama-cpp-python": library.version(),
            "gpu offload": offload(),
            "products of few rows": library.products_description(),
            "built with": library.build_description(),
        }
    except Problem as problem:
        found["llama.cpp"] = {"problem": str(problem)}
    try:
        found["pairs"] = pairs()
    except Problem as problem:
        found["pairs"] = {"problem": str(problem)}
    return found


def offload() -> str:
    """Which GPUs the layers of models go to, and the memory they have."""
    from baco_local.runtime import library

    if not library.llama().llama_supports_gpu_offload():
        return "no (a CPU build)"
    gpus = [device for device in library.devices() if device.kind in ("gpu", "igpu")]
    named = [f"{gpu.name}, {gpu.description}, {gpu.free / 1e9:.1f} of {gpu.total / 1e9:.1f} GB free" for gpu in gpus]
    return f"all layers unless --gpu-layers says otherwise, to {'; '.join(named)}" if named else "no GPU was found"


def pairs() -> dict[str, str]:
    from baco_local.catalog.reading import read_catalog

    said = {}
    for pair in read_catalog().pairs.values():
        if not all(file.present for file in pair.files.values()):
            said[pair.name] = "files missing; `baco-local models` says what to do"
            continue
        try:
            said[pair.name] = agreement(pair.base.path, pair.aligned.path)
        except Problem as problem:
            said[pair.name] = str(problem).replace("\n", "; ")
    return said


def agreement(base: Any, aligned: Any) -> str:
    """How text crosses between the two models."""
    from baco_local.runtime.model import Model
    from baco_local.runtime.probe import facts_of_both

    described = " with ".join(facts.description for facts in facts_of_both(base, aligned))
    with Model(base, vocab_only=True) as first, Model(aligned, vocab_only=True) as second:
        one, two = first.vocabulary, second.vocabulary
        if one.same_as(two):
            return f"ready: {described}; one vocabulary of {one.n_tokens}, token ids pass across"
        token = one.differences(two, 1)
        first_one = f", first difference at token {token[0]}" if token else ", of different kinds"
        return f"ready: {described}; vocabularies of {one.n_tokens} and {two.n_tokens} differ{first_one}: text passes across"
