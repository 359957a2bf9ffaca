"""Measures what a region costs the program that it is in, for docs/energy.md: about a minute and a half.

    python benchmarks/region_cost.py [--pairs 1000] [--visits 10000] [--out FILE.json]

Meters are four zones of a powercap tree of real files (two packages, each with memory), which a process of its own updates every
10 ms. A begin and an end are timed in a busy loop, and after sleeps of 10 ms, when caches have gone cold and any first
call is slow. How slow is told by three others, called after the same sleep in the same random order: an empty function, nothing but the reads of the
same files (`os.pread`), and as much of Python as a begin and an end are, without a file. After
a sleep they are timed in two ways: one after the other, and each after a sleep of its own, as around work that waits. Then so many visits
of 0.2 ms are made, 1.1 ms apart, and `results()` is timed. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from inferometer import energy

SLEEP_S = 0.01
VISIT_S, GAP_S = 0.0002, 0.0011
ZONES = [
    (f"intel-rapl:{package}{part}", name)
    for package in (0, 1)
    for part, name in (("", f"package-{package}"), (":0", "dram"))
]


def make_tree(folder: Path) -> None:
    """Make the zones' files."""
    for path, name in ZONES:
        zone = folder / path
        zone.mkdir()
        for file, text in (
            ("name", name),
            ("max_energy_range_uj", "262143328850"),
            ("energy_uj", "000001000000"),
        ):
            (zone / file).write_text(f"{text}\n")


@contextlib.contextmanager
def counting() -> Iterator[Path]:
    """Yield a tree of zones whose counters another process moves meanwhile."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        make_tree(folder)
        writer = subprocess.Popen([sys.executable, __file__, "--count", name])
        try:
            time.sleep(0.5)
            yield folder
        finally:
            writer.terminate()
            writer.wait()


def count(folder: Path) -> None:
    """Move the counters at 50 W every 10 ms until the program that started this one ends."""
    files = [os.open(folder / path / "energy_uj", os.O_WRONLY) for path, _ in ZONES]
    parent = os.getppid()
    for step in itertools.count(1):
        for file in files:
            os.pwrite(file, b"%012d\n" % (1_000_000 + step * 500_000), 0)
        time.sleep(0.01)
        if os.getppid() != parent:
            return


def nothing() -> None:
    """Do nothing."""


def timed_us(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start_ns = time.perf_counter_ns()
    function()
    return (time.perf_counter_ns() - start_ns) / 1e3


def pair() -> None:
    """Begin and end a visit."""
    energy.end(energy.begin("timed"))


def floors(folder: Path) -> dict[str, Callable[[], None]]:
    """Return what a begin and an end cannot do without, each alone: being called, reading the files twice, and some Python."""
    files = [os.open(folder / path / "energy_uj", os.O_RDONLY) for path, _ in ZONES]

    def reads() -> None:
        for file in (*files, *files):
            os.pread(file, 32, 0)

    def python() -> None:
        kept = []
        for step in range(2 * len(files)):
            kept.append((time.monotonic_ns(), str(step), {"step": step}))

    return {"nothing": nothing, "reads": reads, "python": python}


def hot(pairs: int, bare: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return what calls take one after the other (µs)."""
    return {name: [timed_us(call) for _ in range(pairs)] for name, call in {**bare, "pair": pair}.items()}


def cold(pairs: int, bare: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return what calls take each after a sleep (µs), in random order."""
    found: dict[str, list[float]] = {name: [] for name in (*bare, "pair", "begin", "end")}
    visits: list[energy.regions.total.Visit] = []

    def after_sleep(name: str, call: Callable[[], object]) -> None:
        time.sleep(SLEEP_S)
        found[name].append(timed_us(call))

    for _ in range(pairs):
        turns = [*bare, "pair", "apart"]
        random.shuffle(turns)
        for turn in turns:
            if turn == "apart":
                after_sleep("begin", lambda: visits.append(energy.begin("apart")))
                after_sleep("end", lambda: energy.end(visits.pop()))
            else:
                after_sleep(turn, bare.get(turn, pair))
    found["apart"] = [begin + end for begin, end in zip(found["begin"], found["end"], strict=True)]
    return found


def settle(visits: int) -> dict[str, float]:
    """Return wall and processor time (s) of asking for the energy of so many visits."""
    for _ in range(visits):
        visit = energy.begin("many")
        time.sleep(VISIT_S)
        energy.end(visit)
        time.sleep(GAP_S)
    wall, processor = time.monotonic(), time.process_time()
    found = energy.results()["many"]
    assert found.visits == visits and all(device.energy_j for device in found.devices)
    return {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - processor}


def percentile(values: list[float], share: float) -> float:
    """Return the value below which so large a share lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def report(facts: dict) -> str:
    """Return the figures as Markdown: medians and 95th percentiles."""
    lines = ["| µs | median | 95th percentile |", "|---|--:|--:|"]
    for name, calls, when in (
        ("busy loop: begin and end", "pair", "hot"),
        ("busy loop: the files read twice, nothing else", "reads", "hot"),
        ("busy loop: some Python without a file", "python", "hot"),
        ("after 10 ms of sleep: an empty function", "nothing", "cold"),
        ("after 10 ms of sleep: the files read twice, nothing else", "reads", "cold"),
        ("after 10 ms of sleep: some Python without a file", "python", "cold"),
        ("after 10 ms of sleep: begin and end", "pair", "cold"),
        ("each after 10 ms of sleep: begin, and end", "apart", "cold"),
    ):
        mine = facts[when][calls]
        lines.append(f"| {name} | {statistics.median(mine):.1f} | {percentile(mine, 0.95):.1f} |")
    many = facts["settle"]
    return "\n".join(
        [
            *lines,
            "",
            f"{facts['visits']:,} visits: `results()` takes {many['wall_s']:.2f} s, {many['cpu_s']:.2f} s of processor time; "
            f"{facts['zones']} zones",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.count:
        count(arguments.count)
        return
    with counting() as folder, contextlib.ExitStack() as stack:
        energy.configure(["rapl"], powercap=str(folder))
        stack.callback(energy.reset)
        pair()
        bare = floors(folder)
        facts = {
            "zones": len(energy.regions.process_profile.default_profile().session.meters),
            "visits": arguments.visits,
            "hot": hot(5 * arguments.pairs, bare),
            "cold": cold(arguments.pairs, bare),
            "settle": settle(arguments.visits),
        }
    if arguments.out:
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")
    print(report(facts))


if __name__ == "__main__":
    main()
