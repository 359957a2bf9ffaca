"""Drop-in for the Python module of EMA (Energy Measurement for Applications): change the import, nothing else.

    from inferometer.ema import EMA_init, EMA_finalize, EMA_region_define, EMA_region_begin, EMA_region_end

`EMA_finalize` writes `output.EMA.<pid>` into the working directory; with `legacy=True` or INFEROMETER_EMA_LEGACY=1
`<pid>.csv` without the columns device_uid and device_type; with `names=True` or INFEROMETER_EMA_NAMES=1 devices are called, and
processors' zones listed, as EMA does (CPU-0.package-0). Columns, order and units are EMA's (docs/energy.md tells where
more is kept than EMA keeps): energy in uJ, empty where no meter could tell; time in us.
"""

# ruff: noqa: N801, N802 - the names are EMA's

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from inferometer.energy.meters.built_in.rapl import PARTS
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.regions.profile import Profile
from inferometer.energy.regions.total import Total, Visit
from inferometer.energy.session import open_session
from inferometer.errors import MeterError, UsageError
from inferometer.records import DeviceEnergy

COLUMNS = (
    "thread", "region_idf", "file", "line", "function", "visits", "device_name", "device_uid", "device_type",
    "energy", "time",
)  # fmt: skip
_LEGACY_LEFT_OUT = (7, 8)
_PACKAGE = re.compile(r"package-(\d+)")
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
    names: bool
    regions: list[EMA_Region] = field(default_factory=list)


_states: dict[int, _State] = {}  # by process: after a fork the child begins anew
_lock = threading.Lock()


def EMA_init(
    legacy: bool | None = None, meters: Iterable[str] | None = None, names: bool | None = None
) -> int:
    """Find the meters and begin to sample; returns 0. ``meters``: terms such as 'nvml', '!type=dram'.

    ``names``: call devices as EMA does, and list core and uncore zones too; filters of regions go by those names then.
    """
    with _lock:
        if os.getpid() in _states:
            raise UsageError("EMA_init was called already; call EMA_finalize before beginning anew")
        legacy = _wanted(legacy, "INFEROMETER_EMA_LEGACY")
        names = _wanted(names, "INFEROMETER_EMA_NAMES")
        environ = {**os.environ, PARTS: "1"} if names else os.environ
        _states.clear()
        _states[os.getpid()] = _State(Profile(open_session(meters=meters, environ=environ)), legacy, names)
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


def ema_device(device: MeteredDevice) -> MeteredDevice:
    """Return a device with the name, uid and type that EMA's plug-ins give it; one that EMA has no plug-in for stays as it is.

    RAPL: CPU-<package>.<zone>, the package's number, "cpu" for every zone; MQTT: the announced name twice, "misc"; NVML is alike.
    """
    if device.meter == "mqtt":
        return replace(device, uid=device.name, type="misc")
    counter, _, zone = device.uid.partition(":")
    package, _, part = zone.partition("/")
    number = _PACKAGE.match(package)
    if counter != "rapl" or number is None:
        return device
    return replace(device, name=f"CPU-{number[1]}.{part or package}", uid=number[1], type="cpu")


def _wanted(given: bool | None, variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0") if given is None else given


def _state() -> _State:
    state = _states.get(os.getpid())
    if state is None:
        raise UsageError("call EMA_init() first (again in a forked process)")
    return state


def _table(state: _State, legacy: bool) -> str:
    state.profile.wait()
    rows: list[tuple[object, ...]] = [COLUMNS]
    for region in sorted(state.regions, key=lambda region: region.total.thread):
        rows += _rows(state, region)
    if legacy:
        rows = [tuple(v for i, v in enumerate(row) if i not in _LEGACY_LEFT_OUT) for row in rows]
    return "".join(",".join(_field(value) for value in row) + "\n" for row in rows)


def _rows(state: _State, region: EMA_Region) -> list[tuple[object, ...]]:
    energy = state.profile.energy_of(region.total)
    place = (region.file, region.line, region.function)
    head = (energy.thread, energy.name, *place, energy.visits + energy.unended)
    time_us = round(energy.busy_s * 1e6)
    devices: list[tuple[MeteredDevice, int | str]] = [
        (MeteredDevice(d.device_uid, d.device_name, d.device_type, d.meter), _microjoules(d))
        for d in energy.devices
    ]
    devices += [
        (MeteredDevice(absence.device, absence.device, absence.type, absence.meter), "")
        for absence in state.profile.session.missing
    ]
    named = [(ema_device(device) if state.names else device, energy_uj) for device, energy_uj in devices]
    rows: list[tuple[object, ...]] = [
        (*head, device.name, device.uid, device.type, energy_uj, time_us)
        for device, energy_uj in named
        if region.selection.accepts(device)
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
