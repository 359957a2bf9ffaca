"""Power of the whole system, of processors without RAPL (ARM) and of Intel GPUs, by the kernel's hwmon tree.

ACPI power meters (`power_meter`: many servers, NVIDIA Grace) tell watts, averaged over an interval of theirs; Intel's GPU drivers
(`i915`, `xe`) count joules. The kernel's Documentation/hwmon/sysfs-interface gives files and units. INFEROMETER_HWMON names
another folder than /sys/class/hwmon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.errors import MeterError

ROOT = "/sys/class/hwmon"
ACPI_INTERVAL_S = 1.0  # taken where a meter does not tell its own
GPU_PERIOD_S = 0.0  # current at every read, as far as the drivers say


class HwmonMeter:
    """One file of the tree, which tells microwatts or microjoules."""

    def __init__(self, path: Path, device: MeteredDevice, traits: Traits) -> None:
        """MeterError if the file cannot be read."""
        self.device = device
        self.traits = traits
        self._path = path
        self.read()

    def read(self) -> float:
        """Return joules of a counter, watts of a power meter; MeterError if the file tells none."""
        try:
            return int(self._path.read_text()) / 1e6
        except (OSError, ValueError) as error:
            raise MeterError(
                f"cannot read {self._path}: {getattr(error, 'strerror', None) or error}"
            ) from error

    def conditions(self) -> dict[str, Any]:
        """Return nothing: the tree tells energy and power alone."""
        return {}

    def close(self) -> None:
        """Nothing is kept open."""


def find(environ: Mapping[str, str]) -> Found:
    """Return the meters of the tree; one that cannot be read is an absence, a machine without any has none."""
    found = Found()
    for folder in sorted(Path(environ.get("INFEROMETER_HWMON") or ROOT).glob("hwmon*")):
        for path, device, traits in _sensors(folder):
            try:
                found += Found((HwmonMeter(path, device, traits),))
            except MeterError as error:
                found += Found(
                    absences=(Absence("hwmon", device.type, str(error), _remedy(path), device.uid),)
                )
    return found


def _sensors(folder: Path) -> Iterator[tuple[Path, MeteredDevice, Traits]]:
    driver = _text(folder / "name")
    if driver == "power_meter":
        for path in sorted(folder.glob("power*_average")):
            yield path, _acpi_device(path), _acpi_traits(path)
    elif driver in ("i915", "xe"):
        path = folder / "energy1_input"  # of the whole card; further ones are parts of it
        if path.exists():
            uid = f"hwmon:{driver}/{(folder / 'device').resolve().name}"
            yield (
                path,
                MeteredDevice(uid, f"Intel GPU ({driver})", "gpu", "hwmon"),
                _gpu_traits(folder),
            )


def _gpu_traits(folder: Path) -> Traits:
    """Return how a card counts; the drivers tell its limit of sustained power, 0 where that is turned off, and its TDP."""
    told = [_text(folder / name) for name in ("power1_max", "power1_rated_max")]
    limit_w = max(int(text) if text.isdigit() else 0 for text in told) / 1e6
    return Traits("counter", GPU_PERIOD_S, resolution=1e-6).limited(limit_w)


def _acpi_device(path: Path) -> MeteredDevice:
    """Return what an ACPI meter measures, by what its firmware calls it: processors, or else the system."""
    sensor = path.name.partition("_")[0]
    told = _text(path.with_name(f"{sensor}_oem_info")) or _text(path.with_name(f"{sensor}_label"))
    kind = "cpu" if told.lower().startswith("cpu") else "psys"
    place = (path.parent / "device").resolve().name if (path.parent / "device").exists() else path.parent.name
    return MeteredDevice(f"hwmon:{place}/{sensor}", told or "ACPI power meter", kind, "hwmon")


def _acpi_traits(path: Path) -> Traits:
    told_ms = _text(path.with_name(f"{path.name}_interval"))
    interval_s = int(told_ms) / 1e3 if told_ms.isdigit() and int(told_ms) else ACPI_INTERVAL_S
    return Traits("power", period_s=interval_s, window_s=interval_s)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _remedy(path: Path) -> str:
    return f"run as root, or: sudo chmod a+r {path}"
