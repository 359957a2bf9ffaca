"""What regions took: rows for people, CSV and pandas."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.energy.readings import WHOLE_TYPES
from inferometer.errors import UsageError
from inferometer.escapes import text_row
from inferometer.records import DeviceEnergy
from inferometer.units import duration, significant

COLUMNS = (
    "thread", "region", "visits", "time_s", "busy_s", "device_name", "device_uid", "device_type", "meter", "source",
    "energy_j", "low_j", "high_j", "power_w", "unresolved", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class RegionEnergy:
    """One region as visited by one thread: seconds are always known, joules where a meter could tell."""

    name: str
    thread: int  # 0, 1, ... by first appearance
    visits: int  # that have ended
    seconds: float  # of all visits; those that overlap count each
    busy_s: float  # in which there was at least one visit: what the joules are of
    devices: tuple[DeviceEnergy, ...]
    reason: str = ""  # "no meter: ..." where no device is metered
    note: str = ""  # what else a reader must know
    unended: int = 0  # visits under way

    @property
    def energy_j(self) -> float | None:
        """Return the joules of the one metered device, or of all together; None if any is unknown or none is metered.

        A meter of the whole system (external, psys) sees what the others see and is not added to them. None too where
        several such meters are all there is, or are metered beside others: nothing tells which of them see one another.
        """
        wholes = [d for d in self.devices if d.device_type in WHOLE_TYPES]
        counted = [d for d in self.devices if d not in wholes] or wholes
        known = [d.energy_j for d in counted if d.energy_j is not None]
        if not known or len(known) < len(counted) or len(wholes) > 1:
            return None
        return sum(known)


@dataclass(frozen=True)
class RegionResults:
    """Every region's energy; a row a region, thread and device in `rows`, `to_pandas` and `to_csv`."""

    regions: tuple[RegionEnergy, ...]
    missing: tuple[
        str, ...
    ] = ()  # devices that are not metered though others of their meter are: a line each

    def __iter__(self) -> Iterator[RegionEnergy]:
        return iter(self.regions)

    def __getitem__(self, name: str) -> RegionEnergy:
        """Return the first region of that name; KeyError if there is none."""
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(name)

    def __str__(self) -> str:
        """Return a line a region, with its devices' energy after it; at the end which devices are not metered."""
        width = max((len(region.name) for region in self.regions), default=0)
        lines = [_line(region, width) for region in self.regions]
        return "\n".join([*lines, *(f"not metered: {line}" for line in self.missing)])

    def rows(self) -> list[dict[str, Any]]:
        """Return one mapping a row with the keys `COLUMNS`; None where a value is not known."""
        return [row for region in self.regions for row in _rows(region)]

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame; UsageError if pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            raise UsageError("pandas is not installed; install inferometer[pandas]") from error
        return pandas.DataFrame(self.rows(), columns=list(COLUMNS))

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the rows as CSV, and write them to ``path`` if one is given."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(text_row(row) for row in self.rows())
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8", newline="")
        return text.getvalue()


def _line(region: RegionEnergy, width: int) -> str:
    visits = "1 visit" if region.visits == 1 else f"{region.visits} visits"
    head = f"{region.name:{width}}  {visits}, {duration(region.seconds)}"
    told = [f"{d.device_name}: {_energy_text(d)}" for d in region.devices] or [region.reason]
    return f"{head}; {'; '.join([*told, *filter(None, [region.note])])}"


def _energy_text(device: DeviceEnergy) -> str:
    if device.energy_j is None:
        return f"{device.source} ({device.reason})"
    low = significant(device.low_j or 0.0, 4)
    high = "?" if device.high_j is None else significant(device.high_j, 4)
    wide = f"; unresolved, {device.unresolved}: {device.reason}" if device.unresolved else ""
    return f"{significant(device.energy_j, 4)} J ({low} to {high}{wide})"


def _rows(region: RegionEnergy) -> Iterable[dict[str, Any]]:
    head = {"thread": region.thread, "region": region.name, "visits": region.visits, "time_s": region.seconds}
    head["busy_s"] = region.busy_s
    blank = dict.fromkeys(itertools.islice(COLUMNS, 5, None))
    if not region.devices:
        yield head | blank | {"source": "none", "reason": region.reason}
    for device in region.devices:
        power = device.energy_j / region.busy_s if device.energy_j is not None and region.busy_s else None
        yield head | {
            "device_name": device.device_name,
            "device_uid": device.device_uid,
            "device_type": device.device_type,
            "meter": device.meter,
            "source": device.source,
            "energy_j": device.energy_j,
            "low_j": device.low_j,
            "high_j": device.high_j,
            "power_w": power,
            "unresolved": device.unresolved,
            "reason": "; ".join(filter(None, [device.reason, region.note])),
        }
