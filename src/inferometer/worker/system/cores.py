"""Which CPUs several processes are pinned to, so that none has another's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def disjoint_cores(shares: int, each: int, cpus: Path = _CPUS) -> list[list[int]]:
    """Return ``each`` CPUs for every share, of those that this process may use; ValueError where there are too few.

    As many cores as possible are used before both threads of one are, and what shares a core or a package stays together.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if shares * each > len(allowed):
        raise ValueError(f"{shares} instances of {each} threads need more than the {len(allowed)} CPUs")
    places = {cpu: _place(cpus / f"cpu{cpu}" / "topology", cpu) for cpu in allowed}
    siblings: dict[tuple[int, int], int] = {}
    rank = {}
    for cpu in allowed:
        rank[cpu] = siblings[places[cpu]] = siblings.get(places[cpu], -1) + 1
    used = sorted(allowed, key=lambda cpu: (rank[cpu], places[cpu]))[: shares * each]
    used.sort(key=lambda cpu: (places[cpu], cpu))
    return [used[first : first + each] for first in range(0, len(used), each)]


def strays(process: int, cpus: Iterable[int]) -> set[int]:
    """Return the CPUs outside of ``cpus`` that threads of a process may run on: some runtimes pin theirs by themselves."""
    found: set[int] = set()
    for thread in Path(f"/proc/{process}/task").glob("*"):
        try:
            found |= os.sched_getaffinity(int(thread.name))
        except OSError:  # the thread has ended
            continue
    return found - set(cpus)


def _place(topology: Path, cpu: int) -> tuple[int, int]:
    """Return package and core of a CPU; each is a core of its own where that is not told."""
    try:
        package, core = ((topology / name).read_text() for name in ("physical_package_id", "core_id"))
        return int(package), int(core)
    except (OSError, ValueError):
        return 0, cpu
