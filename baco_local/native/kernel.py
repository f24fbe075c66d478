"""The ctypes face of the C kernel; falls back to the numpy twin where no library was built.

ctypes releases the interpreter lock for the length of the call, so a screen stays alive.
`BACO_LOCAL_KERNEL` = `c`, `avx512`, `avx2`, `baseline` or `numpy` forces one (for tests).
"""

import ctypes
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baco_local.errors import UsageProblem
from baco_local.native import twin

CHOICES = ("c", "avx512", "avx2", "baseline", "numpy")


@functools.cache
def library() -> ctypes.CDLL | None:
    """The built library, or None where there is none that this machine can load."""
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    for folder in package_folders():
        path = folder / f"_kernel.{suffix}"
        if path.exists():
            break
    else:
        return None
    try:
        lib = ctypes.CDLL(str(path))
    except OSError:
        return None
    lib.baco_kernel_new.restype = ctypes.c_void_p
    lib.baco_kernel_new.argtypes = [ctypes.c_int, ctypes.c_char_p]
    lib.baco_kernel_free.restype = None
    lib.baco_kernel_free.argtypes = [ctypes.c_void_p]
    lib.baco_kernel_level.restype = ctypes.c_char_p
    lib.baco_kernel_level.argtypes = [ctypes.c_void_p]
    lib.baco_kernel_serve.restype = None
    pointer, number = ctypes.c_void_p, ctypes.c_int
    lib.baco_kernel_serve.argtypes = [pointer, number, *[pointer] * 3, number, pointer, pointer, number]
    return lib


def package_folders() -> list[Path]:
    """This package's folders: an editable install keeps built files beside, not among, the sources."""
    import baco_local.native

    return [Path(folder) for folder in baco_local.native.__path__]


def which() -> str:
    """`numpy` or the wanted level of the C kernel (`c`: the best this CPU has)."""
    wanted = os.environ.get("BACO_LOCAL_KERNEL", "")
    if wanted and wanted not in CHOICES:
        raise UsageProblem(f"BACO_LOCAL_KERNEL={wanted}: not a kernel; use one of {', '.join(CHOICES)}")
    if wanted == "numpy" or library() is None:
        return "numpy"
    return wanted or "c"


def description() -> str:
    """One phrase for people: which kernel runs here."""
    if which() == "numpy":
        return "numpy" if library() else "numpy (no compiled kernel in this install: reinstall with a C compiler)"
    return f"C, {Kernel([np.zeros(1, np.uint8)]).level}"


class Kernel:
    """Serves the jobs of a tick, of both models of a pair; keeps scratch memory for every vocabulary and thread.

    classes: per side, (n_vocab,) uint8. Use from one thread at a time; it shares its work
    among so many of llama.cpp's threads.
    """

    def __init__(self, classes: Sequence[np.ndarray], threads: int = 1) -> None:
        self.classes = [np.ascontiguousarray(one, np.uint8) for one in classes]
        self.threads = threads
        self.lib = None if which() == "numpy" else library()
        self.handles: list[int] = []
        self.level = "numpy"
        if self.lib:
            level = "" if which() == "c" else which()
            for n_vocab in [len(one) for one in classes] * threads:
                self.handles.append(self.lib.baco_kernel_new(n_vocab, level.encode()) or 0)
            if 0 in self.handles:
                raise MemoryError("no memory for the kernel's scratch rows")
            self.level = self.lib.baco_kernel_level(self.handles[0]).decode()
            self.kernels = (ctypes.c_void_p * len(self.handles))(*self.handles)
            self.tables = (ctypes.c_void_p * len(classes))(*[one.ctypes.data for one in self.classes])

    def serve(self, settings: np.ndarray, jobs: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
        """settings: (1,) SETTINGS; jobs: (n,) JOB, contiguous, whose `row` is the address of a row of logits
        (see `addresses`) of the vocabulary of its `side`; ids, counts: (m,) int32. Results go into `jobs`."""
        if not self.lib:
            twin.serve(self.classes, settings[0], jobs, ids, counts)
            return
        self.lib.baco_kernel_serve(
            self.kernels,
            len(self.classes),
            self.tables,
            place(settings),
            place(jobs),
            len(jobs),
            place(ids),
            place(counts),
            self.threads,
        )

    def __del__(self) -> None:
        for handle in getattr(self, "handles", ()):
            if handle and self.lib:
                self.lib.baco_kernel_free(handle)


def place(array: np.ndarray) -> int:
    """Where it begins: array.ctypes.data in a tenth of the time."""
    return int(array.__array_interface__["data"][0])


def addresses(logits: np.ndarray) -> list[int]:
    """Where each row of (n, n_vocab) float32, contiguous, begins."""
    if logits.dtype != np.float32 or not logits.flags.c_contiguous:
        raise ValueError("logits are contiguous rows of float32")
    first = place(logits)
    return [first + row * logits.strides[0] for row in range(len(logits))]
