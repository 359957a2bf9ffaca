"""Which CPUs several processes are pinned to, so that none has another's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def disjoint_cores(shares: int, each: int, cpus: Path = _CPUS) -> list[list[int]]:
    """Return ``each`` CPUs for every share, of those that this process may use; ValueError where there are too few.

    As many cores as possible are used before both threads of one are, what shares a core or a package stays together, and no two
    shares have threads of one core where whole cores suffice.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if shares * each > len(allowed):
        raise ValueError(f"{shares} instances of {each} threads need more than the {len(allowed)} CPUs")
    places = {cpu: _place(cpus / f"cpu{cpu}" / "topology", cpu) for cpu in allowed}
    cores: dict[tuple[int, int], list[int]] = {}
    for cpu in sorted(allowed, key=lambda cpu: (places[cpu], cpu)):
        cores.setdefault(places[cpu], []).append(cpu)
    whole = [*cores.values()]
    own = min(len(whole) // shares, each)
    dealt = [whole[first : first + own] for first in range(0, shares * own, own or 1)]
    if not own or any(sum(map(len, share)) < each for share in dealt):
        dealt = [whole]  # some core must be shared
    found = [_of_cores(share, each * shares // len(dealt)) for share in dealt]
    together = [cpu for share in found for cpu in share]
    return [together[first : first + each] for first in range(0, len(together), each)]


def _of_cores(cores: Sequence[Sequence[int]], count: int) -> list[int]:
    """Return so many CPUs of some cores, first threads before second ones, in the order of the cores."""
    ranked = sorted((rank, place) for place, core in enumerate(cores) for rank in range(len(core)))
    return [cores[place][rank] for place, rank in sorted((place, rank) for rank, place in ranked[:count])]


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
