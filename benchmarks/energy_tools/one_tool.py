"""Runs one energy tool over a schedule of regions, as its users do, and writes what it told and when it was asked.

    PYTHON benchmarks/energy_tools/one_tool.py NAME SCHEDULE.json OUT.json

PYTHON is the interpreter that has the tool; nothing but that and the standard library is imported. The schedule is
{"seed": N, "regions": [[key, seconds, visits], ...]}. Before the schedule there is a region that does not count, so that what a
tool puts off until its first region is done; then it says "ready" and waits for a line on standard input.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import random
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

Figure = tuple[
    float, float | None, float | None
]  # joules of the package, and the interval where the tool states one
WARM_UP = "warm-up"


class Inferometer:
    """inferometer's own regions."""

    def __init__(self) -> None:
        from inferometer import energy

        self.energy = energy
        energy.configure(["rapl"])

    def begin(self, key: str) -> None:
        self.visit = self.energy.begin(key)

    def end(self, key: str) -> None:
        self.energy.end(self.visit)

    def figures(self) -> dict[str, Figure]:
        found = {}
        for region in self.energy.results():
            for device in region.devices:
                if device.device_uid == "rapl:package-0" and device.energy_j is not None:
                    found[region.name] = (device.energy_j, device.low_j, device.high_j)
        return found


class Ema:
    """EMA's Python module, or a drop-in for it: the figures are those of the file that it writes."""

    def __init__(self, module: str = "EMA", file: str = "output.EMA.{pid}", **options: Any) -> None:
        self.ema = importlib.import_module(module)
        self.file = file
        self.ema.EMA_init(**options)
        self.regions: dict[str, Any] = {}

    def begin(self, key: str) -> None:
        if key not in self.regions:
            self.regions[key] = self.ema.EMA_region_define(key)
        self.ema.EMA_region_begin(self.regions[key])

    def end(self, key: str) -> None:
        self.ema.EMA_region_end(self.regions[key])

    def figures(self) -> dict[str, Figure]:
        self.ema.EMA_finalize()
        with Path(self.file.format(pid=os.getpid())).open(encoding="utf-8") as file:
            return {
                row["region_idf"]: (float(row["energy"]) / 1e6, None, None)
                for row in csv.DictReader(file)
                if row["device_name"] == "CPU-0.package-0" and row["energy"]
            }


class DropIn(Ema):
    """inferometer's drop-in for EMA."""

    def __init__(self) -> None:
        super().__init__("inferometer.ema", meters=["rapl"], names=True)


class Summed:
    """A tool that has no notion of a region with many visits: their figures are added, as its users would."""

    def __init__(self) -> None:
        self.joules: dict[str, list[float | None]] = {}

    def add(self, key: str, joules: float | None) -> None:
        self.joules.setdefault(key, []).append(joules)

    def figures(self) -> dict[str, Figure]:
        known = {key: parts for key, parts in self.joules.items() if None not in parts}
        return {key: (sum(parts), None, None) for key, parts in known.items()}


class Zeus(Summed):
    """ZeusMonitor's windows."""

    def __init__(self) -> None:
        super().__init__()
        from zeus.monitor import ZeusMonitor

        self.monitor = ZeusMonitor(gpu_indices=[], cpu_indices=[0])

    def begin(self, key: str) -> None:
        self.monitor.begin_window(key, sync_execution=False)

    def end(self, key: str) -> None:
        window = self.monitor.end_window(key, sync_execution=False)
        self.add(key, window.cpu_energy[0])


class PyRapl(Summed):
    """pyRAPL's measurements."""

    def __init__(self) -> None:
        super().__init__()
        import pyRAPL

        self.pyrapl = pyRAPL
        pyRAPL.setup()

    def begin(self, key: str) -> None:
        self.measurement = self.pyrapl.Measurement(key)
        self.measurement.begin()

    def end(self, key: str) -> None:
        self.measurement.end()
        packages = self.measurement.result.pkg  # None where the counter went back
        self.add(key, packages[0] / 1e6 if packages else None)


class CodeCarbon(Summed):
    """codecarbon's tasks, offline."""

    def __init__(self) -> None:
        super().__init__()
        from codecarbon import OfflineEmissionsTracker

        self.tracker = OfflineEmissionsTracker(
            country_iso_code="DEU", save_to_file=False, log_level="error", allow_multiple_runs=True
        )

    def begin(self, key: str) -> None:
        self.tracker.start_task(key)

    def end(self, key: str) -> None:
        self.add(key, self.tracker.stop_task().cpu_energy * 3.6e6)


TOOLS = {
    "inferometer": (Inferometer, "inferometer"),
    "inferometer.ema": (DropIn, "inferometer"),
    "EMA": (Ema, ""),
    "zeus": (Zeus, "zeus"),
    "pyRAPL": (PyRapl, "pyRAPL"),
    "codecarbon": (CodeCarbon, "codecarbon"),
}


def visit(tool: Any, key: str, seconds: float) -> tuple[int, int, int, int]:
    """Let `seconds` pass in a region; returns the monotonic clock (ns) before and after its begin and its end."""
    before_ns = time.monotonic_ns()
    tool.begin(key)
    begun_ns = time.monotonic_ns()
    time.sleep(seconds)
    ending_ns = time.monotonic_ns()
    tool.end(key)
    return before_ns, begun_ns, ending_ns, time.monotonic_ns()


def run(tool: Any, schedule: dict[str, Any]) -> dict[str, list[tuple[int, int, int, int]]]:
    """Visit every region of the schedule, with pauses of random length; returns the stamps of each one's visits."""
    generator = random.Random(schedule["seed"])
    spans: dict[str, list[tuple[int, int, int, int]]] = {}
    for key, seconds, visits in schedule["regions"]:
        time.sleep(generator.uniform(0.02, 0.08))
        spans[key] = []
        for _ in range(visits):
            time.sleep(generator.uniform(0.002, 0.010))
            spans[key].append(visit(tool, key, seconds))
    return spans


def main() -> None:
    name, schedule, out = sys.argv[1:]
    make, package = TOOLS[name]
    tool = make()
    visit(tool, WARM_UP, 0.1)
    print("ready", flush=True)
    sys.stdin.readline()
    spans = run(tool, json.loads(Path(schedule).read_text()))
    figures = tool.figures()
    figures.pop(WARM_UP, None)
    version = metadata.version(package) if package else ""
    Path(out).write_text(json.dumps({"version": version, "spans": spans, "figures": figures}))


if __name__ == "__main__":
    main()
