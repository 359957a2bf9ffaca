"""CPU and memory energy from the kernel's powercap tree (RAPL; Intel and AMD).

One meter a package and one a DRAM zone, each with its own `max_energy_range_uj`; psys only where it is all there is.
Core and uncore zones are parts of the package and are left out, unless INFEROMETER_RAPL_PARTS asks for every zone, as EMA lists them. A package listed twice (through MSR and MMIO, or once a
die of a multi-die package whose dies show one counter) is metered once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.readings import PEAK, Meter, MeteredDevice, Traits
from inferometer.errors import MeterError

PARTS = "INFEROMETER_RAPL_PARTS"
ROOT = "/sys/class/powercap"
PERIOD_S = (
    0.001  # Intel SDM volume 3, 15.10: about every millisecond; others every 8 or 10 ms, so it is looked at
)
MAX_POWER_W = 2000.0
SAME_COUNTER_J = 0.5
_ZONE = re.compile(r"[a-z-]+(?::\d+)+")
_CVE = "since CVE-2020-8694 the kernel lets root alone read it"


@dataclass(frozen=True)
class Zone:
    """A powercap zone: its folder and the name inside, e.g. package-0, dram, core, psys."""

    path: Path
    name: str
    parent: str = ""  # the package's name, for a sub-zone

    @property
    def uid(self) -> str:
        """Return a name that stays the same between boots."""
        return f"rapl:{self.parent}/{self.name}" if self.parent else f"rapl:{self.name}"

    @property
    def type(self) -> str:
        """Return the type of device that it meters; a part of a package but its memory is called as the zone is."""
        return self.name if self.name in ("dram", "psys") or self.parent else "cpu"


class RaplMeter:
    """The energy counter of one zone."""

    def __init__(self, zone: Zone) -> None:
        """Open the zone's counter; OSError if it cannot be read."""
        label = f"{zone.parent} {zone.name}".strip()
        self.device = MeteredDevice(zone.uid, label, zone.type, "rapl")
        largest_j = _range_j(zone.path / "max_energy_range_uj")
        limit_w = _largest_power_w(zone.path)
        self.traits = Traits(
            "counter", PERIOD_S, 0.0, 1e-4, largest_j, max_power_w=limit_w or MAX_POWER_W,
            period_known=False, limit_known=limit_w > 0, rests=zone.type not in ("cpu", "dram", "psys"),
        )  # fmt: skip
        self._path = zone.path / "energy_uj"
        self._file: int | None = os.open(self._path, os.O_RDONLY)
        self.glance = functools.partial(
            os.pread, self._file, 32, 0
        )  # as little as the edge of a region can cost
        try:
            self.read()
        except MeterError as error:
            self.close()
            raise OSError(str(error)) from error

    def read(self) -> float:
        """Return joules; MeterError if the zone has gone."""
        if self._file is None:
            raise MeterError(f"{self.device.uid} is closed")
        try:
            return self.told(self.glance())
        except OSError as error:
            raise MeterError(f"cannot read {self._path}: {error.strerror or error}") from error

    def told(self, shown: object) -> float:
        """Return the joules of what a glance showed; MeterError if that is no number."""
        try:
            return int(shown) / 1e6  # type: ignore[call-overload, no-any-return]
        except (TypeError, ValueError) as error:
            raise MeterError(f"cannot read {self._path}: {error}") from error

    def conditions(self) -> dict[str, Any]:
        """Return nothing: powercap tells energy alone."""
        return {}

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _range_j(path: Path) -> float:
    """Return where the counter starts anew; OSError, with the file, where that is not told."""
    try:
        return int(path.read_text()) / 1e6
    except ValueError as error:
        raise OSError(0, f"no number in it ({error})", str(path)) from error


def _largest_power_w(folder: Path) -> float:
    """Return more than the zone can draw, by its largest power limit; 0 where it tells none."""
    limits = []
    for path in folder.glob("constraint_*_power_limit_uw"):
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(path.read_text()) / 1e6)
    return min(PEAK * max(limits, default=0.0), MAX_POWER_W)


def find(environ: Mapping[str, str]) -> Found:
    """Return the zones to meter below INFEROMETER_POWERCAP or /sys/class/powercap."""
    root = Path(environ.get("INFEROMETER_POWERCAP") or ROOT)
    zones = list_zones(root)
    if not zones:
        return Found(absences=(_no_tree(root),))
    meters: list[Meter] = []
    absences = []
    parts = bool(environ.get(PARTS))
    for copies in [[zone] for zone in every_zone(zones)] if parts else choose_zones(zones):
        opened = _first_readable(copies)
        if isinstance(opened, RaplMeter):
            meters.append(opened)
        else:
            absences.append(opened)
    return Found(tuple(meters if parts else _without_copies(meters)), tuple(absences))


def _first_readable(copies: list[Zone]) -> RaplMeter | Absence:
    """Return the meter of the first copy of a zone that can be read, or why the first one cannot."""
    absence = None
    for zone in copies:
        try:
            return RaplMeter(zone)
        except OSError as error:
            absence = absence or _unreadable(zone, error)
    assert absence is not None
    return absence


def list_zones(root: Path) -> list[Zone]:
    """Return every zone below ``root``, whether the tree is flat (/sys/class) or nested (/sys/devices), each once."""
    folders: dict[Path, None] = {}
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(
                e for e in folder.iterdir() if _ZONE.fullmatch(e.name) or e.name.endswith("-rapl")
            )
        except OSError:
            continue
        for entry in entries:
            real = entry.resolve()
            if real not in folders:
                folders[real] = None
                pending.append(entry)
    named = {path: name for path in folders if (name := _name(path))}
    return sorted((_zone(path, named) for path in named), key=lambda z: z.path.name)


def choose_zones(zones: list[Zone]) -> list[list[Zone]]:
    """Return packages and DRAM, or psys where there is no package; of each all copies (MSR before MMIO)."""
    wanted: dict[str, list[Zone]] = {}
    for zone in sorted(zones, key=lambda z: ("mmio" in z.path.name, z.path.name)):
        package = zone.name.startswith("package")
        if package or zone.name == "dram":
            wanted.setdefault(zone.uid, []).append(zone)
    if not any(copies[0].name.startswith("package") for copies in wanted.values()):
        for zone in zones:
            if zone.name == "psys":
                wanted.setdefault(zone.uid, []).append(zone)
    return [wanted[uid] for uid in sorted(wanted)]


def every_zone(zones: list[Zone]) -> list[Zone]:
    """Return the packages, each with its parts after it in the kernel's order, of the tree through MSR."""
    packages = [z for z in zones if "mmio" not in z.path.name and (z.name.startswith("package") or z.parent)]
    return sorted(packages, key=lambda z: [int(number) for number in z.path.name.split(":")[1:]])


def _zone(path: Path, named: dict[Path, str]) -> Zone:
    above = path.name.rpartition(":")[0]
    parent = next((name for other, name in named.items() if other.name == above), "")
    return Zone(path, named[path], parent)


def _name(path: Path) -> str:
    try:
        return (path / "name").read_text().strip() if (path / "energy_uj").exists() else ""
    except OSError:
        return ""


def _without_copies(meters: list[Meter]) -> list[Meter]:
    """Drop a package die that shows the very counter of another: counters since boot do not agree by chance."""
    kept: list[tuple[Meter, float]] = []
    for meter in meters:
        value = meter.read()
        dies = "-die-" in meter.device.name
        if dies and any("-die-" in k.device.name and abs(v - value) < SAME_COUNTER_J for k, v in kept):
            meter.close()
        else:
            kept.append((meter, value))
    return [meter for meter, _ in kept]


def _unreadable(zone: Zone, error: OSError) -> Absence:
    path = error.filename or zone.path / "energy_uj"
    if isinstance(error, PermissionError):
        remedy = (
            f"run as root, or: sudo chmod a+r {path} (until the next boot; a udev rule makes it last), "
            "or let root start 'inferometer meters serve --group NAME' once"
        )
        why = _CVE if Path(path).name == "energy_uj" else "this user may not read it"
        return Absence("rapl", zone.type, f"{path} cannot be read: {why}", remedy, zone.uid)
    reason = f"{path} cannot be read: {error.strerror}" if error.strerror else str(error)
    return Absence("rapl", zone.type, reason, "", zone.uid)


def _no_tree(root: Path) -> Absence:
    if str(root) != ROOT:
        remedy = "give the folder that holds intel-rapl:0 with --powercap or INFEROMETER_POWERCAP"
        return Absence("rapl", "cpu", f"no powercap zones in {root}", remedy)
    if _virtual():
        remedy = "run on the host itself, or read the host's meters with 'inferometer meters publish' there"
        return Absence("rapl", "cpu", "a virtual machine is shown no energy counters", remedy)
    remedy = "load the driver: sudo modprobe intel_rapl_msr; in a container mount the host's /sys and give --powercap"
    return Absence("rapl", "cpu", f"no powercap zones in {root}", remedy)


def _virtual() -> bool:
    try:
        return " hypervisor" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
