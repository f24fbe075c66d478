"""Says in JSON what llama.cpp is here: `python -m baco_local.runtime.report`, for a doctor that must survive a bad build."""

import dataclasses
import json
import sys
from typing import Any

from baco_local.errors import Problem
from baco_local.runtime import llama


def report() -> dict[str, Any]:
    lib = llama.llama()
    return {
        "version": llama.version(),
        "build": llama.build_number(),
        "instructions": llama.build_description(),
        "offload": bool(lib.llama_supports_gpu_offload()),
        "devices": [dataclasses.asdict(device) for device in llama.devices()],
        "products": llama.products_description(),
    }


if __name__ == "__main__":
    try:
        print(json.dumps(report()))
    except Problem as problem:
        sys.exit(str(problem).splitlines()[0])
