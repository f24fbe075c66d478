"""Says in JSON what llama.cpp is here: `python -m baco_local.runtime.report`, for a doctor that must survive a bad build."""

import dataclasses
import json
import sys
from typing import Any

from baco_local.errors import Problem
from baco_local.runtime import library


def report() -> dict[str, Any]:
    lib = library.llama()
    return {
        "version": library.version(),
        "build": library.build_number(),
        "instructions": library.build_description(),
        "offload": bool(lib.llama_supports_gpu_offload()),
        "devices": [dataclasses.asdict(device) for device in library.devices()],
        "products": library.products_description(),
    }


if __name__ == "__main__":
    try:
        print(json.dumps(report()))
    except Problem as problem:
        sys.exit(str(problem).splitlines()[0])
