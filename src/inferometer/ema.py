"""Drop-in for the Python module of EMA (Energy Measurement for Applications): change the import, nothing else.

    from inferometer.ema import EMA_init, EMA_finalize, EMA_region_define, EMA_region_begin, EMA_region_end

`EMA_finalize` writes `output.EMA.<pid>` into the working directory; with `legacy=True` or INFEROMETER_EMA_LEGACY=1
`<pid>.csv` without the columns device_uid and device_type. Columns, order and units are EMA's (docs/energy.md tells where
more is kept than EMA keeps): energy in uJ, empty where no meter could tell; time in us.
"""

# ruff: noqa: N801, N802 - the names are EMA's

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.regions.profile import Profile, Total, Visit
from inferometer.energy.session import open_session
from inferometer.errors import MeterError, UsageError
from inferometer.records import DeviceEnergy

COLUMNS = (
    "thread", "region_idf", "file", "line", "function", "visits", "device_name", "device_uid", "device_type",
    "energy", "time",
)  # fmt: skip
_LEGACY_LEFT_OUT = (7, 8)
_EVERY_DEVICE = Selection()


@dataclass(eq=False)
class EMA_Region:
    """A region as `EMA_region_define` returns it."""

    total: Total
    selection: Selection
    file: str
    line: int
    function: str
    visits: list[Visit] = field(default_factory=list)


@dataclass
class _State:
    profile: Profile
    legacy: bool
    regions: list[EMA_Region] = field(default_factory=list)


_states: dict[int, _State] = {}  # by process: after a fork the child begins anew
_lock = threading.Lock()


def EMA_init(legacy: bool | None = None, meters: Iterable[str] | None = None) -> int:
    """Find the meters and begin to sample; returns 0. ``meters``: terms such as 'nvml', '!type=dram'."""
    with _lock:
        if os.getpid() in _states:
            raise UsageError("EMA_init was called already; call EMA_finalize before beginning anew")
        if legacy is None:
            legacy = os.environ.get("INFEROMETER_EMA_LEGACY", "") not in ("", "0")
        _states.clear()
        _states[os.getpid()] = _State(Profile(open_session(meters=meters)), legacy)
    return 0


def EMA_region_define(
    name: str, filter: Selection | None = None, file: str = "", line: int = 0, function: str = ""
) -> EMA_Region:
    """Make a region, which belongs to the calling thread; each call makes one of its own, even of the same name."""
    state = _state()
    region = EMA_Region(state.profile.define(name, object()), filter or _EVERY_DEVICE, file, line, function)
    with _lock:
        state.regions.append(region)
    return region


def EMA_region_begin(region: EMA_Region) -> int:
    """Begin a visit; returns 0."""
    region.visits.append(_state().profile.enter(region.total))
    return 0


def EMA_region_end(region: EMA_Region) -> int:
    """End the latest visit; returns 0. UsageError if the region was not begun."""
    profile = _state().profile
    if not region.visits:
        raise UsageError(f"region '{region.total.name}' is ended but was not begun")
    profile.end(region.visits.pop())
    return 0


def EMA_finalize(legacy: bool | None = None) -> int:
    """Write the output file and let go of the meters; returns 0.

    MeterError if the file cannot be written: nothing is lost then, and it may be called again from another folder.
    """
    state = _state()
    legacy = state.legacy if legacy is None else legacy
    path = Path(f"{os.getpid()}.csv" if legacy else f"output.EMA.{os.getpid()}")
    text = _table(state, legacy)
    try:
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise MeterError(f"cannot write {path.absolute()}: {error.strerror}") from error
    with _lock:
        _states.pop(os.getpid(), None)
    state.profile.close()
    return 0


def EMA_filter_exclude_plugin(name: str) -> Selection:
    """Return a filter that leaves out the devices of a plug-in ('NVML', 'RAPL', 'MQTT')."""
    return Selection.parse([f"!meter={name}"])


def EMA_filter_include_plugin(name: str) -> Selection:
    """Return a filter that keeps the devices of a plug-in only."""
    return Selection.parse([f"meter={name}"])


def EMA_filter_select(*terms: str) -> Selection:
    """Return a filter by any terms: 'type=gpu', '!name=*Titan*', 'uid=...'; see `Selection`."""
    return Selection.parse(terms)


def EMA_filter_finalize(filter: Selection) -> int:
    """Do nothing: a filter holds nothing to let go of; returns 0."""
    del filter
    return 0


def _state() -> _State:
    state = _states.get(os.getpid())
    if state is None:
        raise UsageError("call EMA_init() first (again in a forked process)")
    return state


def _table(state: _State, legacy: bool) -> str:
    state.profile.wait()
    rows: list[tuple[object, ...]] = [COLUMNS]
    for region in sorted(state.regions, key=lambda region: region.total.thread):
        rows += _rows(state.profile, region)
    if legacy:
        rows = [tuple(v for i, v in enumerate(row) if i not in _LEGACY_LEFT_OUT) for row in rows]
    return "".join(",".join(_field(value) for value in row) + "\n" for row in rows)


def _rows(profile: Profile, region: EMA_Region) -> list[tuple[object, ...]]:
    energy = profile.energy_of(region.total)
    place = (region.file, region.line, region.function)
    head = (energy.thread, energy.name, *place, energy.visits)
    time_us = round(energy.seconds * 1e6)
    rows: list[tuple[object, ...]] = [
        (*head, d.device_name, d.device_uid, d.device_type, _microjoules(d), time_us)
        for d in energy.devices
        if region.selection.accepts(MeteredDevice(d.device_uid, d.device_name, d.device_type, d.meter))
    ]
    return rows or [(*head, "", "", "", "", time_us)]


def _microjoules(device: DeviceEnergy) -> int | str:
    return "" if device.energy_j is None else round(device.energy_j * 1e6)


def _field(value: object) -> str:
    """Return a value as a CSV field; quoted only where a reader would otherwise split it."""
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    if any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
