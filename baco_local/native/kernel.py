"""The ctypes face of the C kernel; falls back to the numpy twin where no library was built.

ctypes releases the interpreter lock for the length of the call, so a screen stays alive.
`BACO_LOCAL_KERNEL` = `c`, `avx512`, `avx2`, `baseline` or `numpy` forces one (for tests).
"""

import ctypes
import functools
import os
import sys
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
    lib.baco_kernel_serve.restype = ctypes.c_int
    pointer, number = ctypes.c_void_p, ctypes.c_int
    lib.baco_kernel_serve.argtypes = (pointer, pointer, number, pointer, pointer, pointer, number, pointer, pointer)
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
    return f"C, {Kernel(1).level}"


class Kernel:
    """Scratch memory for one vocabulary size; serves the jobs of a tick.

    n_vocab: entries per row of logits. Use from one thread at a time.
    """

    def __init__(self, n_vocab: int) -> None:
        self.n_vocab = n_vocab
        self.lib = None if which() == "numpy" else library()
        if self.lib:
            level = "" if which() == "c" else which()
            self.handle = self.lib.baco_kernel_new(n_vocab, level.encode())
            if not self.handle:
                raise MemoryError("no memory for the kernel's scratch rows")
            self.level = self.lib.baco_kernel_level(self.handle).decode()
        else:
            self.handle, self.level = None, "numpy"

    def serve(
        self,
        logits: np.ndarray,
        classes: np.ndarray,
        settings: np.ndarray,
        jobs: np.ndarray,
        ids: np.ndarray,
        counts: np.ndarray,
    ) -> None:
        """Shapes as in `twin.serve`; settings has shape (1,). Results go into `jobs`."""
        if not self.lib:
            twin.serve(logits, classes, settings[0], jobs, ids, counts)
            return
        if logits.shape[1] != self.n_vocab or len(classes) != self.n_vocab:
            raise ValueError(f"kernel made for {self.n_vocab} entries, got rows of {logits.shape[1]}")
        self.lib.baco_kernel_serve(
            self.handle,
            logits.ctypes.data,
            self.n_vocab,
            classes.ctypes.data,
            settings.ctypes.data,
            jobs.ctypes.data,
            len(jobs),
            ids.ctypes.data,
            counts.ctypes.data,
        )

    def __del__(self) -> None:
        if getattr(self, "handle", None) and self.lib:
            self.lib.baco_kernel_free(self.handle)
            self.handle = None
