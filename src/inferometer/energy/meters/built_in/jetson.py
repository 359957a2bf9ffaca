"""Power of a Jetson module's rails, by the INA3221 sensors on its board through sysfs.

Two drivers: mainline's `ina3221` (JetPack 5 and newer) tells millivolts and milliamperes of each labelled channel (the kernel's
Documentation/hwmon/ina3221), the older `ina3221x` milliwatts. Which rails there are differs between modules; one that feeds both
processors and GPU cannot be told apart. INFEROMETER_JETSON names another folder than /sys/bus/i2c/drivers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.errors import MeterError

ROOT = "/sys/bus/i2c/drivers"
CHANNELS = (1, 2, 3)
SHUNT_STEP_V = 40e-6  # INA3221 datasheet: one step of the shunt voltage
OLD_STEP_W = 1e-3  # the unit of ina3221x
_WHOLE = ("VDD_IN", "POM_5V_IN")  # all that the module takes
_UNUSED = ("NC", "")  # what a channel without a rail is called


@dataclass(frozen=True)
class Rail:
    """One channel: its label, and the files whose product, times ``scale``, is watts."""

    label: str
    place: str  # of the chip, and the channel
    files: tuple[Path, ...]
    scale: float
    traits: Traits


class JetsonMeter:
    """The power of one rail."""

    def __init__(self, rail: Rail) -> None:
        """MeterError if it cannot be read."""
        uid = f"jetson:{rail.label}@{rail.place}"
        self.device = MeteredDevice(uid, f"Jetson {rail.label}", type_of(rail.label), "jetson")
        self.traits = rail.traits
        self._rail = rail
        self.read()

    def read(self) -> float:
        """Return watts; voltage and current are read one after the other. MeterError if a file tells none."""
        watts = self._rail.scale
        for path in self._rail.files:
            try:
                watts *= int(path.read_text())
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise MeterError(f"cannot read {path}: {reason}") from error
        return watts

    def conditions(self) -> dict[str, Any]:
        """Return nothing: the sensor tells power alone."""
        return {}

    def close(self) -> None:
        """Nothing is kept open."""


def type_of(label: str) -> str:
    """Return what a rail feeds: gpu, cpu or dram; external where it is the whole module, or both of the first; else other."""
    name = label.upper()
    if name in _WHOLE or ("GPU" in name and "CPU" in name):
        return "external"
    for kind, words in (("gpu", ("GPU",)), ("cpu", ("CPU",)), ("dram", ("DDR", "VDDQ", "VDDRQ", "DRAM"))):
        if any(word in name for word in words):
            return kind
    return "other"


def find(environ: Mapping[str, str]) -> Found:
    """Return a meter a labelled rail; a machine without such sensors has none."""
    root = Path(environ.get("INFEROMETER_JETSON") or ROOT)
    found = Found()
    for rail in (*_rails(root), *_old_rails(root)):
        try:
            found += Found((JetsonMeter(rail),))
        except MeterError as error:
            remedy = f"run as root, or: sudo chmod a+r {' '.join(map(str, rail.files))}"
            found += Found(absences=(Absence("jetson", type_of(rail.label), str(error), remedy, rail.label),))
    if not found.meters and not found.absences:
        reason = f"no INA3221 sensor in {root}: this is no Jetson, or its driver is not loaded"
        found += Found(quiet=(Absence("jetson", "gpu", reason, "sudo modprobe ina3221"),))
    return found


def _rails(root: Path) -> Iterator[Rail]:
    for folder in sorted(root.glob("ina3221/*/hwmon/hwmon*")):
        chip = folder.parent.parent.name
        interval_s = _number(folder / "update_interval") / 1e3
        for n in CHANNELS:
            label = _text(folder / f"in{n}_label")
            volts, amperes = folder / f"in{n}_input", folder / f"curr{n}_input"
            if label in _UNUSED or not (volts.exists() and amperes.exists()):
                continue
            shunt_ohm = _number(folder / f"shunt{n}_resistor") / 1e6
            step_w = SHUNT_STEP_V / shunt_ohm * _number(volts) / 1e3 if shunt_ohm else 0.0
            traits = Traits("power", interval_s, interval_s, step_w, integrates=False)
            yield Rail(label, f"{chip}/{n}", (volts, amperes), 1e-6, traits)


def _old_rails(root: Path) -> Iterator[Rail]:
    for folder in sorted(root.glob("ina3221x/*/iio:device*")):
        for n in CHANNELS:
            label = _text(folder / f"rail_name_{n - 1}")
            power = folder / f"in_power{n - 1}_input"
            if label in _UNUSED or not power.exists():
                continue
            traits = Traits("power", 0.0, 0.0, OLD_STEP_W, integrates=False)
            yield Rail(label, f"{folder.parent.name}/{n}", (power,), 1e-3, traits)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> float:
    text = _text(path)
    return float(text) if text.isdigit() else 0.0
