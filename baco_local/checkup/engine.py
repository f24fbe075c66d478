"""llama.cpp and the kernel: asked in a process of its own, because a build for another CPU ends the one that asks."""

import functools
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

from baco_local import __version__, native
from baco_local.checkup.line import MISSING, SLOW, Line
from baco_local.checkup.machine import cpu_flags
from baco_local.runtime import machine
from baco_local.runtime.llama import REBUILD
from baco_local.runtime.probe import ILLEGAL
from baco_local.text import one_line

PATIENCE = 60  # seconds
# Instruction sets that matter for speed: llama.cpp's name, the CPU's flag in /proc/cpuinfo
FEATURES = {
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "AVX_VNNI": "avx_vnni",
    "AVX512": "avx512f",
    "AVX512_VNNI": "avx512_vnni",
}


def program() -> list[Line]:
    kernel = native.description()
    compiled = kernel.startswith("C")
    return [
        Line("baco-local", __version__),
        Line("python", f"{platform.python_version()} ({sys.executable})"),
        Line(
            "kernel",
            kernel,
            "ok" if compiled else SLOW,
            ""
            if compiled
            else "install a C compiler, then, in the copy of the repository: pip install --force-reinstall --no-deps .",
        ),
    ]


def llama_cpp() -> list[Line]:
    found = ask()
    if "problem" in found:
        return [Line("llama-cpp-python", found["problem"], MISSING, REBUILD)]
    return [
        Line("llama-cpp-python", f"{found['version']} (llama.cpp {found['build']})"),
        instructions(found["instructions"]),
        offload(found),
        Line("products of few rows", found["products"]),
    ]


@functools.cache
def ask() -> dict[str, Any]:
    """What `runtime.report` says, or {"problem": why it can't}. Asked once."""
    try:
        importlib.metadata.version("llama-cpp-python")
        child = subprocess.run(
            [sys.executable, "-P", "-m", "baco_local.runtime.report"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if child.returncode == 0:
            found = json.loads(child.stdout.splitlines()[-1])
            return found if isinstance(found, dict) else {"problem": "gave no answer"}
    except importlib.metadata.PackageNotFoundError:
        return {"problem": "is not installed"}
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        return {"problem": one_line(f"could not be asked: {error}")}
    if child.returncode == ILLEGAL:
        return {"problem": "was built for another CPU (illegal instruction)"}
    said = child.stderr.decode("utf-8", "replace").strip().splitlines()
    return {"problem": one_line(said[-1]) if said else f"ended with status {child.returncode}"}


def free_memory() -> int | None:
    """Bytes that are free where a pair would be loaded; llama.cpp is asked of GPUs in a process of its own."""
    found = ask()
    gpus = [device["free"] for device in found.get("devices", []) if device["kind"] == "gpu"]
    if found.get("offload") and gpus:
        return int(sum(gpus))
    memory = machine.memory()
    return memory[1] if memory else None


def instructions(built: str) -> Line:
    """Does the build use what the CPU has?"""
    used = {part.split("=")[0].split(":")[-1].strip() for part in built.split("|") if part.strip().endswith("= 1")}
    flags = cpu_flags()
    unused = [name for name, flag in FEATURES.items() if flag in flags and name not in used]
    if unused:
        return Line("built with", f"{built}; this CPU also has {', '.join(unused)}", SLOW, REBUILD)
    return Line("built with", built)


def offload(found: dict[str, Any]) -> Line:
    """Which GPUs the layers of models go to, and the memory they have."""
    if not found["offload"]:
        if shutil.which("nvidia-smi"):
            return Line(
                "gpu offload",
                "no (a CPU build), though there is an NVIDIA GPU",
                SLOW,
                f"CMAKE_ARGS=-DGGML_CUDA=on {REBUILD}",
            )
        return Line("gpu offload", "no (a CPU build)")
    named = [
        f"{gpu['name']}, {gpu['description']}, {gpu['free'] / 1e9:.1f} of {gpu['total'] / 1e9:.1f} GB free"
        for gpu in found["devices"]
        if gpu["kind"] in ("gpu", "igpu")
    ]
    if not named:
        return Line(
            "gpu offload", "no GPU was found, though llama.cpp was built for one", SLOW, "check the GPU's driver"
        )
    return Line("gpu offload", f"all layers unless --gpu-layers says otherwise, to {'; '.join(named)}")
