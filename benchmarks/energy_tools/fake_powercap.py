"""A powercap tree of real files whose counters grow as a known power says: one package with core and dram, like RAPL's.

    python benchmarks/energy_tools/fake_powercap.py FOLDER --load square --update 0.001 --origin-ns N --log FILE

updates the counters until it gets SIGTERM, as a real-time process where that is allowed, so that a busy machine does not hold
it up. FILE gets, of each update, the monotonic clock (ns) before and after it and the value of the package (uJ), so that
what readers could see is known whatever the scheduler did.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import time
from array import array
from dataclasses import dataclass
from pathlib import Path

NS = 1_000_000_000
UNIT_UJ = 1e6 / 2**14  # the step of RAPL's counters
RANGE_UJ = 262_143_328_850
START_UJ = 7_654_321_000
LIMIT_UW = 250_000_000  # that the package may draw, as constraint_0 tells
ZONES = {  # folder: (name, share of the package's power)
    "intel-rapl/intel-rapl:0": ("package-0", 1.0),
    "intel-rapl/intel-rapl:0/intel-rapl:0:0": ("core", 0.6),
    "intel-rapl/intel-rapl:0/intel-rapl:0:1": ("dram", 0.15),
}


@dataclass(frozen=True)
class Load:
    """A power that is high for the first half of each period, and low for the other (W, s)."""

    high_w: float
    low_w: float
    period_s: float = 1.0
    range_uj: int = RANGE_UJ

    def energy_j(self, seconds: float) -> float:
        """Return what was drawn in the first so many seconds."""
        whole, phase_s = divmod(seconds, self.period_s)
        half_s = self.period_s / 2
        return self.low_w * seconds + (self.high_w - self.low_w) * (whole * half_s + min(phase_s, half_s))


LOADS = {
    "constant": Load(100, 100),
    "square": Load(200, 20, 0.030),
    "idle": Load(8, 8),
    "wrapping": Load(100, 100, range_uj=1_000_000_000),  # every 10 s
}


def make_tree(folder: Path, load: Load) -> Path:
    """Make the files, with the links that /sys/class/powercap has; returns the folder."""
    for zone, (name, _) in ZONES.items():
        path = folder / zone
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        (path / "enabled").write_text("1\n")
        (path / "max_energy_range_uj").write_text(f"{load.range_uj}\n")
        (path / "energy_uj").write_bytes(_text(START_UJ % load.range_uj))
        (folder / path.name).symlink_to(zone)
    package = folder / next(iter(ZONES))
    (package / "constraint_0_name").write_text("long_term\n")
    (package / "constraint_0_max_power_uw").write_text(f"{LIMIT_UW}\n")
    (folder / "intel-rapl/subsystem").symlink_to("..")
    return folder


def counter_uj(load: Load, share: float, seconds: float) -> int:
    """Return what a zone's counter shows after so many seconds: in steps, wrapped."""
    steps = int(load.energy_j(seconds) * share * 1e6 / UNIT_UJ)
    return (START_UJ + round(steps * UNIT_UJ)) % load.range_uj


def write(folder: Path, load: Load, update_s: float, origin_ns: int) -> array[int]:
    """Update the counters every `update_s` until SIGTERM; returns (before, after, value) of each update, one after another."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    gc.disable()
    files = [(os.open(folder / zone / "energy_uj", os.O_WRONLY), share) for zone, (_, share) in ZONES.items()]
    log = array("q")
    step_ns = round(update_s * NS)
    due_ns = time.monotonic_ns()
    while not stopped:
        due_ns += step_ns
        now_ns = time.monotonic_ns()
        if now_ns < due_ns:
            time.sleep((due_ns - now_ns) / NS)
        before_ns = time.monotonic_ns()
        seconds = (before_ns - origin_ns) / NS
        for file, share in files:
            os.pwrite(file, _text(counter_uj(load, share, seconds)), 0)
        log.extend((before_ns, time.monotonic_ns(), counter_uj(load, 1.0, seconds)))
        due_ns = max(due_ns, before_ns - step_ns)  # late: go on from here instead of catching up
    return log


def read_log(path: Path) -> list[tuple[int, int, int]]:
    """Return (before ns, after ns, value uJ) of each update."""
    flat = array("q", path.read_bytes())
    return list(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))


def _text(microjoules: int) -> bytes:
    # always as long, so that a reader between two updates never sees a shorter file
    return b"%012d\n" % microjoules


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--load", choices=LOADS, required=True)
    parser.add_argument("--update", type=float, required=True, metavar="SECONDS")
    parser.add_argument("--origin-ns", type=int, required=True, help="monotonic clock where the load begins")
    parser.add_argument("--log", type=Path, required=True)
    arguments = parser.parse_args()
    log = write(arguments.folder, LOADS[arguments.load], arguments.update, arguments.origin_ns)
    arguments.log.write_bytes(log.tobytes())


if __name__ == "__main__":
    main()
