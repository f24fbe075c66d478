"""The figures of a measurement, from what `bench` has collected: a record for scripts, and advice in a sentence."""

import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from baco_local.lab.bench import RIVALS, Bench, Run
from baco_local.native import description
from baco_local.runtime import llama, machine

WORTH = 0.9  # of the best rate: fewer ideas at once that reach it need less memory and come sooner


def record(bench: Bench) -> dict[str, Any]:
    """All figures found so far; None for those that aren't. Rates in tokens per second, sizes in bytes."""
    sizes = [size for size in bench.sizes if any(size in runs for runs in bench.runs)]
    files = sum(model.path.stat().st_size for model in bench.pair.models)
    at = [size for size in sizes if size <= 16]
    peak = bench.peaks.get(at[-1]) if at else None
    return {
        "pair": bench.pair.name,
        "prompt": bench.request.prompt,
        "max_tokens": bench.request.max_tokens,
        "rounds": bench.rounds,
        "machine": {
            "cpu": machine.cpu_name(),
            "threads": bench.pair.sides[0].threads,
            "llama_cpp_python": llama.version(),
            "kernel": description(),
            "products": llama.products_description(),
            "gpu": [device.name for device in llama.devices() if device.kind in ("gpu", "igpu")],
        },
        "engine": [size_record(bench, size) for size in sizes],
        "rivals": {name: rounded(median(rates[name] for rates in bench.rates if name in rates)) for name in RIVALS},
        "kernel": {"ms_per_row": rounded(bench.rows[0], 4), "ms_per_read": rounded(bench.rows[1], 4)}
        if bench.rows
        else None,
        "memory": {
            "files": files,
            "variants": at[-1] if at else None,
            "peak": peak,
            "over_files": peak - files if peak else None,
            "per_variant": per_variant(bench),
        },
        "advice": advice(bench),
    }


def size_record(bench: Bench, size: int) -> dict[str, Any]:
    """The figures for so many variants: medians over the rounds, ratios taken within each."""
    turns = [(runs[size], rates) for runs, rates in zip(bench.runs, bench.rates, strict=True) if size in runs]
    runs = [run for run, _ in turns]

    def middle(figure: Any) -> float | None:
        return rounded(median(figure(run) for run in runs), 4)

    return {
        "variants": size,
        "tokens_per_second": middle(lambda run: run.rate),
        "ratios": {
            name: rounded(median(run.rate / rates[name] for run, rates in turns if name in rates), 3) for name in RIVALS
        },
        "efficiency": middle(lambda run: run.bound / run.seconds),
        "first_words_seconds": middle(lambda run: run.first),
        "outside_decode": middle(lambda run: 1 - run.decode / run.seconds),
        "kernel_ms_per_row": middle(lambda run: 1000 * run.kernel / max(1, run.rows)),
        "base_share": middle(lambda run: run.base_tokens / max(1, run.tokens)),
        "tokens": [run.tokens for run in runs],
    }


def per_variant(bench: Bench) -> int | None:
    """Bytes that one more variant costs, from the two largest sizes that had slots of their own."""
    sizes = sorted(size for size in bench.peaks if size <= 32)
    if len(sizes) < 2:
        return None
    small, large = sizes[-2:]
    return (bench.peaks[large] - bench.peaks[small]) // (large - small)


def advice(bench: Bench) -> str:
    """What to do with it, in plain words."""
    rates = {size: median(runs[size].rate for runs in bench.runs if size in runs) for size in bench.sizes}
    found = {size: rate for size, rate in rates.items() if rate}
    if not found:
        return ""
    best = next(size for size, rate in sorted(found.items()) if rate >= WORTH * max(found.values()))
    threads = bench.pair.sides[0].threads
    said = f"Ask for {best} ideas at once here (-n {best})" if best > 1 else "Ask for one idea at a time here"
    said += f": more hardly write faster. {threads} thread{'s' * (threads > 1)} compute; `--threads auto` tries others."
    if not llama.offloads():
        gpu = gpu_at_hand()
        said += (
            f" There is {gpu}, which this build of llama.cpp doesn't use: reinstall llama-cpp-python for it."
            if gpu
            else " No GPU was found, so a GPU build of llama.cpp would not help."
        )
    return said


def gpu_at_hand() -> str:
    """A GPU that the system knows of, whether llama.cpp does or not; ''."""
    if Path("/proc/driver/nvidia/version").exists():
        return "an NVIDIA GPU"
    if Path("/dev/kfd").exists():
        return "an AMD GPU"
    return "an Apple GPU" if sys.platform == "darwin" else ""


def best_threads(runs: dict[int, list[Run]]) -> int:
    """The number of threads whose runs wrote fastest; of equals, within a twentieth, the fewest."""
    rates = {threads: median(run.rate for run in some) or 0.0 for threads, some in runs.items()}
    return min(threads for threads, rate in rates.items() if rate >= 0.95 * max(rates.values()))


def median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
