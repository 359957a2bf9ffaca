"""CPU and memory energy from the kernel's perf events (`power/energy-pkg/`, `power/energy-ram/`; Intel and AMD).

The same counters as RAPL's through powercap, to those to whom perf is open where powercap is not: CAP_PERFMON or
kernel.perf_event_paranoid <= 0. The kernel extends them to 64 bits, so they do not wrap. A device has the uid that `rapl` gives
it, and is read here only where `rapl` cannot. INFEROMETER_PERF names another folder than
/sys/bus/event_source/devices/power. Source: perf_event_open(2), the kernel's Documentation/ABI (event_source-devices).
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.errors import MeterError

ROOT = "/sys/bus/event_source/devices/power"
PROCESSORS = Path("/sys/devices/system/cpu")
# said of the counters behind it (Intel SDM volume 3, 15.10); others are updated every 8 or 10 ms
PERIOD_S = 0.001
_SYSCALLS = {"x86_64": 298, "aarch64": 241}  # perf_event_open
_CLOSE_ON_EXEC = 8  # PERF_FLAG_FD_CLOEXEC
_ATTR = struct.Struct("=IIQQQQQIIQ")  # PERF_ATTR_SIZE_VER0
_TYPES = {"energy-pkg": "cpu", "energy-ram": "dram"}  # cores and the built-in GPU are parts of the package
_CONFIG = re.compile(r"event=(0x[0-9a-f]+|\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Event:
    """One energy event on one package: what to open, and joules a count."""

    device: MeteredDevice
    pmu: int
    config: int
    cpu: int
    scale_j: float


class PerfMeter:
    """The counter of one event."""

    def __init__(self, event: Event) -> None:
        """Open it; OSError if that is not permitted or not supported, MeterError if it opens and tells nothing."""
        self.device = event.device
        self.traits = Traits("counter", PERIOD_S, resolution=max(event.scale_j, 1e-4), period_known=False)
        self._scale_j = event.scale_j
        self._file: int | None = _open(event)
        self.glance = functools.partial(os.read, self._file, 8)
        try:
            self.read()
        except MeterError:
            self.close()
            raise

    def read(self) -> float:
        """Return joules since it was opened; MeterError if it cannot be read."""
        if self._file is None:
            raise MeterError(f"{self.device.uid} is closed")
        try:
            return self.told(self.glance())
        except OSError as error:
            raise MeterError(f"cannot read the perf event of {self.device.name}: {error}") from error

    def told(self, shown: object) -> float:
        """Return the joules of what a glance showed; MeterError if that is no count."""
        try:
            (count,) = struct.unpack("=Q", shown)  # type: ignore[arg-type]
        except (TypeError, struct.error) as error:
            raise MeterError(f"cannot read the perf event of {self.device.name}: {error}") from error
        return float(count) * self._scale_j

    def conditions(self) -> dict[str, Any]:
        """Return nothing: the event tells energy alone."""
        return {}

    def close(self) -> None:
        """Close the event."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def find(environ: Mapping[str, str]) -> Found:
    """Return the energy events of every package, of the PMU at INFEROMETER_PERF or the kernel's `power`."""
    root = Path(environ.get("INFEROMETER_PERF") or ROOT)
    if not root.is_dir():
        remedy = "load the driver: sudo modprobe rapl; a virtual machine has none"
        return Found(quiet=(Absence("perf", "cpu", f"the kernel has no energy events ({root})", remedy),))
    found = Found()
    try:
        events = list(_events(root))
    except (OSError, ValueError) as error:
        return Found(absences=(Absence("perf", "cpu", f"cannot make out the events in {root}: {error}"),))
    for event in events:
        try:
            found += Found((PerfMeter(event),))
        except OSError as error:
            found += Found(quiet=(_refused(event, error),))
        except MeterError as error:
            found += Found(absences=(Absence("perf", event.device.type, str(error), "", event.device.uid),))
    return found


def _events(root: Path) -> Iterator[Event]:
    pmu = int((root / "type").read_text())
    for name, kind in _TYPES.items():
        path = root / "events" / name
        if not path.exists():
            continue
        match = _CONFIG.search(path.read_text())
        if match is None:
            raise ValueError(f"{path} names no event")
        scale_j = float(path.with_name(f"{name}.scale").read_text())
        for cpu in cpus_of((root / "cpumask").read_text()):
            package = f"package-{_package_of(cpu)}"
            uid, label = (
                (f"rapl:{package}", package) if kind == "cpu" else (f"rapl:{package}/dram", f"{package} dram")
            )
            yield Event(MeteredDevice(uid, label, kind, "perf"), pmu, int(match[1], 0), cpu, scale_j)


def cpus_of(mask: str) -> list[int]:
    """Return the numbers of a list such as "0,18" or "0-1"; ValueError if it is none."""
    found: list[int] = []
    for part in mask.strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _package_of(cpu: int) -> int:
    try:
        return int((PROCESSORS / f"cpu{cpu}" / "topology" / "physical_package_id").read_text())
    except (OSError, ValueError):
        return 0


def _open(event: Event) -> int:
    """Return the file of a count of everything on one processor; OSError with the kernel's reason."""
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(0, f"perf events are not opened on {platform.machine()}")
    library = ctypes.CDLL(None, use_errno=True)
    attributes = _ATTR.pack(event.pmu, _ATTR.size, event.config, 0, 0, 0, 0, 0, 0, 0)
    every_process, no_group = -1, -1
    file = library.syscall(number, attributes, every_process, event.cpu, no_group, _CLOSE_ON_EXEC)
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(file)


def _refused(event: Event, error: OSError) -> Absence:
    if isinstance(error, PermissionError):
        reason = "the kernel lets those alone open energy events who may watch every process"
        remedy = "sudo sysctl kernel.perf_event_paranoid=0, or CAP_PERFMON, or run as root"
        return Absence("perf", event.device.type, reason, remedy, event.device.uid)
    reason = f"the kernel does not open the event: {error.strerror}"
    return Absence("perf", event.device.type, reason, "", event.device.uid)
