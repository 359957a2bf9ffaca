"""EMA's output: a row a region and device, energy in uJ, time in us."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from inferometer.importing import names
from inferometer.importing.csvfile import CsvRow, Log, number, read, whole
from inferometer.records import DeviceEnergy
from inferometer.results import stats

REQUIRED = ("region_idf", "energy", "time")
_GPU = re.compile(
    r"nvidia|tesla|geforce|quadro|titan|rtx|gtx|radeon|instinct|\b[ahlv]\d{2,3}\b|gpu", re.IGNORECASE
)
_DRAM = re.compile(r"dram", re.IGNORECASE)
_CPU = re.compile(r"package|pkg|cpu|core|intel|xeon|epyc|ryzen|rapl", re.IGNORECASE)

_FACTOR = 100.0

Key = tuple[str, str, int]  # framework, precision, batch size


@dataclass(frozen=True)
class Device:
    """A device of one EMA file; several of one name are told apart by uid or by their order within a region."""

    uid: str
    name: str
    type: str  # gpu, cpu, dram, other


@dataclass
class Readings:
    """All regions of one EMA file: energy (J) and time (s) by cell, loop and device."""

    path: Path
    variant: str
    values: dict[Key, dict[int, dict[Device, tuple[float, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )

    @property
    def worker(self) -> Device | None:
        """Return the GPU that did the work: the one with the highest mean power (else the highest of any device)."""
        totals: dict[Device, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for loops in self.values.values():
            for devices in loops.values():
                for device, (energy, time) in devices.items():
                    totals[device][0] += energy
                    totals[device][1] += time
        gpus = [d for d in totals if d.type == "gpu"] or list(totals)
        return max(gpus, key=lambda d: totals[d][0] / totals[d][1], default=None)


def is_ema(columns: Sequence[str]) -> bool:
    """Return whether a header is EMA's."""
    known = {_plain(c) for c in columns}
    return all(name in known for name in REQUIRED) and "device_name" in known


def _plain(column: str) -> str:
    return column.strip().lower().replace(" ", "_")


def read_ema(path: Path, log: Log) -> Readings:
    """Read one EMA file; malformed rows are noted in ``log``."""
    sheet = read(path, log)
    columns = {_plain(c): c for c in sheet.columns}
    match = names.VARIANT.search(path.name)
    readings = Readings(path, names.variant(match.group(1) if match else None))
    order: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in sheet.rows:
        try:
            _add(readings, row, columns, order)
        except ValueError as error:
            log.row(sheet.path, row.line, str(error))
    _drop_strangers(readings, log)
    return readings


def _drop_strangers(readings: Readings, log: Log) -> None:
    """Leave out loops whose power is a hundred times off the cell's median: their unit is another."""
    for key, loops in readings.values.items():
        powers: dict[Device, list[float]] = defaultdict(list)
        for devices in loops.values():
            for device, (energy, time) in devices.items():
                powers[device].append(energy / time)
        for number_, devices in loops.items():
            for device, (energy, time) in list(devices.items()):
                usual = median(powers[device])
                if not 1 / _FACTOR < energy / time / usual < _FACTOR:
                    log.problems.append(
                        f"{readings.path}: {key[0]} {key[1]} at batch size {key[2]}, loop {number_}, {device.name}: "
                        f"{energy / time:.4g} W where the other loops have {usual:.4g} W: mixed units?"
                    )
                    del devices[device]


def _add(
    readings: Readings, row: CsvRow, columns: dict[str, str], order: dict[tuple[str, str, str], int]
) -> None:
    region = row.get(columns["region_idf"])
    match = names.REGION.fullmatch(region)
    if match is None:
        raise ValueError(f"region {region!r} is not <framework>_<batch size>_<loop>")
    thread = row.get(columns["thread"]) if "thread" in columns else "0"
    device = _device(row, columns, region, thread, order)
    energy = number(row.get(columns["energy"]), "energy (uJ)", at_least=0)
    time = number(row.get(columns["time"]), "time (us)", above=0)
    if energy <= 1:
        raise ValueError(f"energy is {energy:g} uJ, EMA's sign of a meter that did not answer")
    known = names.framework(match["name"])
    batch, loop = whole(match["batch"], "batch size"), whole(match["loop"], "loop", at_least=0)
    devices = readings.values[known.framework, known.precision, batch][loop]
    if device in devices:
        raise ValueError(f"region {region!r} of {device.name} stands here a second time")
    devices[device] = (energy * 1e-6, time * 1e-6)


def _device(
    row: CsvRow, columns: dict[str, str], region: str, thread: str, order: dict[tuple[str, str, str], int]
) -> Device:
    name = row.get(columns["device_name"])
    kind = row.get(columns["device_type"]).lower() if "device_type" in columns else _type(name)
    if "device_uid" in columns and (uid := row.get(columns["device_uid"])):
        return Device(uid, name, kind)
    place = order[region, thread, name]
    order[region, thread, name] += 1
    return Device(f"{name}#{place}", name, kind)


def _type(name: str) -> str:
    for pattern, kind in ((_DRAM, "dram"), (_GPU, "gpu"), (_CPU, "cpu")):
        if pattern.search(name):
            return kind
    return "other"


def energies(readings: Readings, key: Key, images: int) -> tuple[DeviceEnergy, ...]:
    """Return each device's energy over a cell's loops of ``images`` each; the interval is the loops' own spread."""
    loops = readings.values[key]
    devices = dict.fromkeys(device for found in loops.values() for device in found)
    return tuple(
        _total(device, [f[device] for f in loops.values() if device in f], images) for device in devices
    )


def _total(device: Device, found: list[tuple[float, float]], images: int) -> DeviceEnergy:
    energy, time = sum(e for e, _ in found), sum(t for _, t in found)
    low, high = stats.around(energy, stats.reach_of_mean(_relative(found).moments))
    return DeviceEnergy(
        device_uid=device.uid,
        device_name=device.name,
        device_type=device.type,
        meter="ema",
        source="counter",
        seconds=time,
        images=images * len(found),
        energy_j=energy,
        low_j=low,
        high_j=high,
        reason="as EMA recorded it",
    )


def _relative(found: list[tuple[float, float]]) -> stats.Units:
    """Return every loop's power relative to their mean, less one: about the logarithms, and safe near zero."""
    mean = sum(e for e, _ in found) / sum(t for _, t in found)
    values = [e / t / mean - 1 for e, t in found] if mean > 0 else []
    return stats.units(values, [0] * len(values))
