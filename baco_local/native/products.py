"""The ctypes face of backend.c: llama.cpp's matrix products, computed faster where few rows are multiplied.

llama.cpp is unchanged; it hands these products to an accelerator that is registered with it,
as it does with a BLAS library. `BACO_LOCAL_PRODUCTS=off` goes without.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator

import numpy as np

from baco_local.native.kernel import library, which

# ggml's public functions and its OpenMP library's, as in ggml_abi.h
FUNCTIONS = """
    ggml_backend_register ggml_backend_reg_by_name ggml_backend_reg_dev_get ggml_backend_dev_name ggml_backend_dev_init
    ggml_backend_free ggml_backend_cpu_buffer_type ggml_backend_buft_is_host ggml_graph_n_nodes ggml_graph_node ggml_init
    ggml_free ggml_new_tensor_2d ggml_mul_mat ggml_new_graph ggml_build_forward_expand ggml_op_desc ggml_type_name
    ggml_row_size GOMP_parallel
""".split()
KERNELS = {"avx512": "avx512", "avx2": "avx2", "baseline": None}  # which level goes with a forced kernel
Q4_1, Q5_0, Q8_0, Q6_K = 3, 6, 8, 14  # of ggml_type


def register(address: Callable[[str], int | None]) -> str:
    """Registers the accelerator with the ggml whose functions `address` finds. '' or the reason why not.

    Also where it is switched off: with the functions the C kernel learns of ggml's threads, and without all of them it
    serves its rows on one.
    """
    lib = library()
    if lib is None:
        return "no compiled kernel in this install"
    off = os.environ.get("BACO_LOCAL_PRODUCTS") == "off"
    level = None if off else KERNELS.get(which(), "")
    addresses = [address(name) for name in FUNCTIONS]
    missing = [name for name, found in zip(FUNCTIONS, addresses, strict=True) if not found]
    if missing:
        return f"this llama-cpp-python has no {missing[0]}"
    lib.baco_products_register.restype = ctypes.c_char_p
    table = (ctypes.c_void_p * len(addresses))(*addresses)
    problem = lib.baco_products_register(table, None if level is None else level.encode())
    return "switched off" if off else problem.decode() if problem else ""


@contextlib.contextmanager
def disabled() -> Iterator[None]:
    """Contexts made and used only inside compute all products as llama.cpp does."""
    lib = library()
    before = lib.baco_products_enable(0) if lib else 0
    try:
        yield
    finally:
        if lib:
            lib.baco_products_enable(before)


def lanes() -> int:
    """How many rows the accelerator multiplies in about the time of one; 0 where there is none."""
    lib = library()
    return int(lib.baco_products_lanes()) if lib else 0


def count() -> int:
    """How many products the accelerator has computed in this process."""
    lib = library()
    if lib is None:
        return 0
    lib.baco_products_count.restype = ctypes.c_longlong
    return int(lib.baco_products_count())


def compute(kind: int, weights: np.ndarray, x: np.ndarray, level: str = "") -> np.ndarray | None:
    """x @ weights.T, on one thread, or None where the machine can't.

    kind: a ggml_type; weights: (n, bytes of a row) uint8, n a multiple of 16; x: (rows, k) float32,
    contiguous. level: "avx512", "avx2" or "" for the best.
    """
    lib = library()
    out = np.empty((len(x), len(weights)), np.float32)
    if lib is None:
        return None
    lib.baco_products_compute.argtypes = (
        [ctypes.c_int] * 4
        + [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p]
    )  # fmt: skip
    status = lib.baco_products_compute(
        kind, x.shape[1], len(weights), len(x), weights.ctypes.data, weights.shape[1], x.ctypes.data, out.ctypes.data, level.encode()
    )  # fmt: skip
    return out if status == 0 else None
