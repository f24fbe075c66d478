"""llama.cpp, imported once, with its log in a ring buffer and a file instead of on the screen.

llama-cpp-python sets its own log callback at import, which prints everything, and its
high-level classes silence it by closing the process's stderr for a while; neither may
happen under a terminal app, so only the low-level functions are used, through `llama()`.
"""

import collections
import contextlib
import ctypes
import functools
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from baco_local import paths
from baco_local.errors import ModelProblem, from_an_interrupt
from baco_local.native import products
from baco_local.text import clean

DEBUG, WARN, ERROR, CONTINUED = 1, 3, 4, 5  # ggml_log_level
M_MMAP_THRESHOLD = -3  # of malloc.h
SPINS = "1000"  # turns that a thread waits for another one before it sleeps
REBUILD = "pip install --force-reinstall --no-deps --no-cache-dir --no-binary llama-cpp-python 'llama-cpp-python>=0.3.35,<0.4'"
LOG_LIMIT = 1 << 20  # bytes after which the log file starts anew

ring: collections.deque[tuple[int, str]] = collections.deque(maxlen=400)
_lock = threading.Lock()
_file: TextIO | None = None
_callback: Any = None  # must outlive every native call
_products: list[str] = []  # why llama.cpp computes all matrix products itself; ''
_debugging = False  # was the newest line at DEBUG level? Its continuations are dropped with it


@functools.cache
def llama() -> Any:
    """The low-level module. Raises ModelProblem where llama-cpp-python can't be loaded."""
    global _callback
    # libgomp reads it when it is loaded, with llama.cpp. Its default of 300,000 turns lets each of llama.cpp's
    # threads wait in a loop for one that another program keeps from running; measured with one
    # of two cores busy: 50 tok/s with the default, 63 with this; on a quiet machine the same. Fewer
    # turns (200: 85 tok/s) cost a tenth on a quiet one.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        import llama_cpp.llama_cpp as module
    except (ImportError, OSError, RuntimeError) as error:
        if from_an_interrupt(error):
            raise KeyboardInterrupt from None
        raise ModelProblem(
            f"llama-cpp-python could not be loaded: {error}\nreinstall it for this machine: {REBUILD}"
        ) from error
    _callback = module.llama_log_callback(_log)
    module.llama_log_set(_callback, None)
    if sys.platform == "linux":
        # Caches of freed contexts go back to the system. Left to itself, glibc keeps blocks of up to
        # 32 MB for later: 45 MB more when 1, 4, 8 and 16 ideas are asked for one after another.
        with contextlib.suppress(OSError, AttributeError):  # glibc's only
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)
    module.llama_backend_init()
    if b"AMX_INT8 = 1" in module.llama_print_system_info():
        _without_amx(module)
    _products.append(products.register(lambda name: _address(module, name)))
    return module


def _without_amx(module: Any) -> None:
    """Lets models be loaded without the formats that llama.cpp would rewrite their weights into.

    AMX's would be its first choice, and the code for it ends the process (SIGILL) where gcc compiled it: most of the
    configuration is dropped that is written just before the instruction that reads it (llama.cpp pull request 26954).
    """
    usual = module.llama_model_default_params

    def parameters() -> Any:
        given = usual()
        given.use_extra_bufts = False
        return given

    module.llama_model_default_params = parameters


def _function(module: Any, name: str) -> Any:
    """Of llama.cpp's libraries, or of what they use; None where there is none. A handle also finds what the library behind it
    needs, but not on Windows, where ggml's own libraries have to be asked."""
    found = getattr(module._lib, name, None)
    if found is None and os.name == "nt":
        for path in sorted(Path(module._lib._name).parent.glob("ggml*.dll")):
            found = found or getattr(ctypes.CDLL(str(path)), name, None)
    return found


def _address(module: Any, name: str) -> int | None:
    found = _function(module, name)
    return None if found is None else ctypes.cast(found, ctypes.c_void_p).value


def accelerated() -> bool:
    """Does baco-local's accelerator compute matrix products of few rows here?"""
    llama()
    return not _products[0]


def products_description() -> str:
    """One phrase for people: who computes the matrix products here."""
    accelerated()
    return f"llama.cpp's own ({_products[0]})" if _products[0] else "baco-local's for 2 rows and more, else llama.cpp's"


def _log(level: int, message: bytes | None, _data: object) -> None:
    global _file, _debugging
    if level != CONTINUED:
        _debugging = level == DEBUG  # thousands of lines for every context
    if _debugging:
        return
    text = clean((message or b"").decode("utf-8", "replace"))
    with _lock:
        if level == CONTINUED and ring:
            before, said = ring.pop()
            ring.append((before, said + text))
        else:
            ring.append((level, text))
        with contextlib.suppress(OSError, ValueError):  # a full disk must not stop a decode
            if _file is None:
                path = paths.made("state") / "llama.log"
                fresh = path.exists() and path.stat().st_size > LOG_LIMIT
                flags = os.O_CREAT | os.O_WRONLY | (os.O_TRUNC if fresh else os.O_APPEND)
                _file = os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="replace")
            _file.write(text)
            if level >= WARN:
                _file.flush()


def last_complaint() -> str:
    """The newest error line that says something of its own, or the newest warning, or ''."""
    with _lock:
        said = [(level, text.strip()) for level, text in ring if text.strip()]
    for wanted in (ERROR, WARN):
        lines = [text for level, text in said if level == wanted]
        # The outermost frames only repeat that loading failed; the reason was said first.
        reasons = [text for text in lines if "failed to load model" not in text or ":" in text.split("model", 1)[1]]
        if reasons or lines:
            return (reasons or lines)[-1]
    return ""


@dataclass(frozen=True, slots=True)
class Device:
    """What llama.cpp can compute on. kind: cpu, gpu, igpu or accel; memory in bytes, 0 where it has none of its own."""

    name: str
    description: str
    kind: str
    free: int
    total: int


def devices() -> list[Device]:
    """As llama.cpp lists them (ggml-backend.h)."""
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    module = llama()
    of = {
        name: _function(module, f"ggml_backend_dev_{name}")
        for name in ("count", "get", "name", "description", "type", "memory")
    }
    if None in of.values():
        return []
    of["count"].restype = size
    of["get"].restype, of["get"].argtypes = pointer, [size]
    for function in (of["name"], of["description"]):
        function.restype, function.argtypes = ctypes.c_char_p, [pointer]
    of["type"].restype, of["type"].argtypes = ctypes.c_int, [pointer]
    of["memory"].argtypes = [pointer, ctypes.POINTER(size), ctypes.POINTER(size)]
    found = []
    for index in range(of["count"]()):
        device, free, total = of["get"](index), size(), size()
        of["memory"](device, ctypes.byref(free), ctypes.byref(total))
        name, said = (clean((of[key](device) or b"").decode("utf-8", "replace")) for key in ("name", "description"))
        kind = dict(enumerate(("cpu", "gpu", "igpu", "accel"))).get(of["type"](device), "other")
        found.append(Device(name, said, kind, free.value, total.value))
    return found


def offloads() -> bool:
    """Was llama.cpp built for a GPU?"""
    return bool(llama().llama_supports_gpu_offload())


def on_metal() -> bool:
    """Does llama.cpp compute on an Apple GPU here?"""
    return any(device.name.lower().startswith(("metal", "mtl")) for device in devices())


def build_description() -> str:
    """How llama.cpp was built: its instruction sets and backends, in its own words."""
    return clean(llama().llama_print_system_info().decode("utf-8", "replace")).strip()


def build_number() -> str:
    """Of the llama.cpp inside, as it calls itself."""
    named = getattr(llama(), "llama_version", None)
    return clean(named().decode("utf-8", "replace")) if named else "unknown"


def version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def text_from(function: Any, *arguments: Any, size: int = 1 << 10) -> str | None:
    """The string that a llama.cpp function writes into (buffer, size); None when it says there is none."""
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = function(*arguments, buffer, size)
        if length < 0:
            return None
        if length < size:
            return clean(buffer.raw[:length].decode("utf-8", "replace"))
        size = length + 1
