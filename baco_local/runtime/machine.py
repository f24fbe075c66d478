"""What this machine has: cores that compute, memory, and how much of it we use."""

import contextlib
import functools
import os
import sys
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")  # of this process, as a container sees it


def cores() -> int:
    """Physical cores this process may use.

    A second hardware thread of a core adds nothing to a matrix product, and with a thread
    more than cores the barrier at the end of each operation makes decoding many times slower.
    """
    logical = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(logical, physical() or logical, quota() or logical))


def thread_choices() -> list[int]:
    """Numbers of threads worth a try, from few to many."""
    logical = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    found = {1, cores() // 2, cores() - 1, cores(), logical}
    return sorted(choice for choice in found if 1 <= choice <= logical)


@functools.cache
def physical() -> int | None:
    if sys.platform.startswith("linux"):
        allowed = os.sched_getaffinity(0)
        siblings = set()
        for cpu in allowed:
            path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
            try:
                siblings.add(path.read_text().strip())
            except OSError:
                return None
        return len(siblings)
    if sys.platform == "darwin":
        return sysctl("hw.perflevel0.physicalcpu") or sysctl("hw.physicalcpu")
    return None


def quota() -> int | None:
    """CPUs that a container may use at once (cgroup v2), rounded down."""
    with contextlib.suppress(OSError, ValueError):
        allowed, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if allowed != "max":
            return max(1, int(allowed) // int(period))
    return None


def sysctl(name: str) -> int | None:
    import subprocess

    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        return int(subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=True).stdout)
    return None


def memory() -> tuple[int, int] | None:
    """(total, available) bytes, or None where the system doesn't say."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        facts = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
        return limited(facts["MemTotal"], facts["MemAvailable"])
    if sys.platform == "darwin":
        total = sysctl("hw.memsize")
        return (total, total) if total else None
    return None


def limited(total: int, free: int) -> tuple[int, int]:
    """The same, where a container may have less (cgroup v2). What it keeps of files only counts as free."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        most = int((GROUP / "memory.max").read_text())  # "max" where there is no limit
        used = int((GROUP / "memory.current").read_text())
        facts = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        return min(total, most), max(
            0, min(free, most - used + int(facts["inactive_file"]) + int(facts["active_file"]))
        )
    return total, free


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes; 0 where the system doesn't say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def virtual_memory() -> int:
    """Address space of this process in bytes (Linux), what its limit is counted in; 0 elsewhere."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def cpu_name() -> str:
    with contextlib.suppress(OSError, IndexError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    import platform

    return platform.processor() or platform.machine()
