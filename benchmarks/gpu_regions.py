"""Measures regions of 0.1 to 5 s on a GPU against its counter read directly, for docs/energy.md; about six minutes.

    PYTHONPATH=src python3 benchmarks/gpu_regions.py OUT_FOLDER [--count 20] [--lengths 0.1,0.3,1,5] [--python PYTHON]

A load in a process of its own (fp16 matrix products) is steady, or on for the first half of every period; a region of the
duty-cycled load lasts whole periods and begins at any phase, so that its true energy is the mean power around it
times its length. That mean is taken by a second process that reads the counter around its updates through NVML, from whole periods
that reach at least 1.5 s beyond the region on both sides, and knows nothing of inferometer.
Writes regions.json (every region) and regions.md (the table), and prints the latter.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import time
from bisect import bisect_left
from dataclasses import asdict, dataclass
from pathlib import Path

from inferometer import energy
from inferometer.energy.characterization.load_process import LoadProcess

AROUND_S = 1.5
POLLER = """
import sys, time
import pynvml
pynvml.nvmlInit()
card = pynvml.nvmlDeviceGetHandleByIndex(0)
last, out = None, open(sys.argv[1], "w")
while True:
    value, now = pynvml.nvmlDeviceGetTotalEnergyConsumption(card), time.monotonic()
    if value != last:
        out.write(f"{now} {value}\\n")
        out.flush()
        time.sleep(0.085)  # updates come every 100 ms; more reads than needed would hold up everybody's
    last = value
    time.sleep(0.002)
"""


@dataclass
class Visit:
    """One region: when, what was told, and the truth."""

    load: str
    length_s: float
    period_s: float
    begin_s: float
    end_s: float
    energy_j: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    source: str = ""
    truth_j: float = math.nan

    @property
    def holds(self) -> bool:
        """Return whether the interval contains the truth."""
        return (
            self.low_j is not None and self.high_j is not None and self.low_j <= self.truth_j <= self.high_j
        )

    @property
    def half_width(self) -> float:
        """Return half the interval as a share of the energy; infinite where there is none."""
        if not self.energy_j or self.low_j is None or self.high_j is None:
            return math.inf
        return (self.high_j - self.low_j) / 2 / self.energy_j

    @property
    def error(self) -> float:
        """Return how far the energy is from the truth, as a share of it."""
        return math.inf if self.energy_j is None else abs(self.energy_j / self.truth_j - 1)


class Counter:
    """The counter as the second process read it: joules at the moments of its updates."""

    def __init__(self, path: Path) -> None:
        pairs = [line.split() for line in path.read_text().splitlines() if len(line.split()) == 2]
        self.seconds = [float(pair[0]) for pair in pairs[1:]]  # the first value was not seen to change
        self.joules = [int(pair[1]) / 1e3 for pair in pairs[1:]]

    def at(self, second: float) -> float:
        """Return the joules at a moment, between two updates in proportion."""
        after = min(max(bisect_left(self.seconds, second), 1), len(self.seconds) - 1)
        t0, t1 = self.seconds[after - 1 : after + 1]
        e0, e1 = self.joules[after - 1 : after + 1]
        return e0 + (e1 - e0) * (second - t0) / (t1 - t0)

    def truth(self, visit: Visit) -> float:
        """Return a region's joules by the mean power of the whole periods around it."""
        around = math.ceil(AROUND_S / visit.period_s) * visit.period_s
        begin, end = visit.begin_s - around, visit.end_s + around
        mean_w = (self.at(end) - self.at(begin)) / (end - begin)
        return mean_w * (visit.end_s - visit.begin_s)


def block(load: LoadProcess, kind: str, length_s: float, count: int, draw: random.Random) -> list[Visit]:
    """Visit ``count`` regions under one load."""
    period_s = 0.1 if kind == "steady" else min(length_s, 1.0)
    load.set("steady" if kind == "steady" else f"duty {period_s} 0.0")
    time.sleep(AROUND_S + period_s + 1.0)
    visits = []
    for index in range(count):
        time.sleep(draw.uniform(0.05, 0.25))
        name = f"{kind} {length_s:g} s {index}"
        visit = energy.begin(name)
        begin = time.monotonic()
        time.sleep(max(begin + length_s - time.monotonic() - 1e-4, 0.0))
        while time.monotonic() < begin + length_s:
            pass
        end = time.monotonic()
        energy.end(visit)
        visits.append(Visit(kind, length_s, period_s, begin, end))
    time.sleep(AROUND_S + period_s + 0.5)
    load.set("idle")
    return visits


def settle(visits: list[Visit], counter: Counter) -> None:
    """Add what inferometer told of each region, and the truth."""
    results = energy.results()
    told = {region.name: region for region in results}
    seen: dict[tuple[str, float], int] = {}
    for visit in visits:
        index = seen.get((visit.load, visit.length_s), 0)
        seen[visit.load, visit.length_s] = index + 1
        device = told[f"{visit.load} {visit.length_s:g} s {index}"].devices[0]
        visit.energy_j, visit.low_j, visit.high_j = device.energy_j, device.low_j, device.high_j
        visit.source = device.source
        visit.truth_j = counter.truth(visit)


def table(visits: list[Visit], card: str) -> str:
    """Return the figures as Markdown: a row a load and length."""
    lines = [
        f"{card}: regions against the counter read directly",
        "",
        "| load | region | with a figure | interval holds the truth | half width, median | error, median | largest |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for load, length in dict.fromkeys((v.load, v.length_s) for v in visits):
        rows = [v for v in visits if (v.load, v.length_s) == (load, length)]
        widths, errors = [v.half_width for v in rows], [v.error for v in rows]
        lines.append(
            f"| {load} | {length:g} s | {sum(v.energy_j is not None for v in rows)} of {len(rows)} "
            f"| {sum(v.holds for v in rows)} of {len(rows)} | ±{statistics.median(widths):.1%} "
            f"| {statistics.median(errors):.1%} | {max(errors):.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT_FOLDER")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--lengths", default="0.1,0.3,1,5")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with torch, for the load")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    readings = arguments.out / "counter.txt"
    poller = subprocess.Popen([sys.executable, "-c", POLLER, str(readings)])
    draw = random.Random(20)
    visits: list[Visit] = []
    try:
        energy.configure(["nvml"])
        with LoadProcess("cuda:0", arguments.python) as load:
            card = load.name
            for kind in ("steady", "duty"):
                for length in map(float, arguments.lengths.split(",")):
                    visits += block(load, kind, length, arguments.count, draw)
            settle(visits, Counter(readings))
    finally:
        poller.kill()
        poller.wait()
    (arguments.out / "regions.json").write_text(json.dumps([asdict(visit) for visit in visits], indent=1))
    (arguments.out / "regions.md").write_text(table(visits, card))
    print(table(visits, card))


if __name__ == "__main__":
    main()
