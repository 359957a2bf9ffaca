"""Energy and power of whole servers as their BMCs tell it by DMTF's Redfish (DSP2046): EnvironmentMetrics and PowerSubsystem.

Of each chassis the first of these that it has: EnvironmentMetrics' EnergyJoules (a counter), its PowerWatts, the input power of
the PowerSubsystem's supplies together, EnvironmentMetrics' EnergykWh (a counter in coarse steps). A BMC takes its time, so a
thread of each meter's own asks, and other meters do not wait for it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.meters.redfish_service import ROOT, Address, Service, link, members
from inferometer.energy.readings import MeteredDevice, Reading, Traits
from inferometer.energy.track import Track
from inferometer.errors import InferometerError, MeterError
from inferometer.escapes import shown
from inferometer.redaction import without_user

PERIOD_S = 1.0  # between two looks, and of a sensor that does not tell its own
SHORTEST_S = 0.1  # between two looks
_SCALES = {"EnergyJoules": 1.0, "EnergykWh": 3.6e6}  # joules
MOST_CHASSIS = 64
_INTERVAL = re.compile(r"PT(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


@dataclass(frozen=True)
class Source:
    """What is read of a chassis: excerpts named ``key`` of the resources at ``paths``, added up, times ``scale``."""

    key: str
    paths: tuple[str, ...]
    scale: float
    traits: Traits
    reading: str = "Reading"
    look_s: float = PERIOD_S  # between two of them

    def read(self, service: Service) -> float:
        """Return joules or watts; MeterError if a resource does not tell them."""
        return self.scale * sum(
            float(_excerpt(service.get(path), self.key, self.reading)) for path in self.paths
        )


@dataclass
class RedfishMeter:
    """One chassis, asked by a thread of its own once it is attached."""

    device: MeteredDevice
    source: Source
    service: Service
    now_ns: Callable[[], int] = time.monotonic_ns
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _track: Track = field(init=False, repr=False, compare=False)
    _latest: float | None = None

    def __post_init__(self) -> None:
        self.traits = self.source.traits

    def attach(self, track: Track) -> None:
        """Append a reading to ``track`` at every look from now on, and to no other that was attached before."""
        self._track = track
        if self._thread is None:  # one asks, over one connection
            self._thread = threading.Thread(target=self._watch, name="inferometer-redfish", daemon=True)
            self._thread.start()

    def read(self) -> float:
        """Return what was told last; MeterError before that."""
        if self._latest is None:
            raise MeterError(f"{self.device.name} has told nothing yet")
        return self._latest

    def conditions(self) -> dict[str, Any]:
        """Return nothing: energy and power alone are asked for."""
        return {}

    def close(self) -> None:
        """End the thread and the connection."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.service.close()

    def _watch(self) -> None:
        while True:
            before_ns = self.now_ns()
            self._look(before_ns)
            left_s = self.source.look_s - (self.now_ns() - before_ns) / 1e9
            if self._stop.wait(max(left_s, 0.05)):
                return

    def _look(self, before_ns: int) -> None:
        try:
            self._latest = self.source.read(self.service)
        except MeterError as error:
            self._track.fail(before_ns, str(error))
        else:
            self._track.append(Reading(before_ns, self.now_ns(), self._latest))


def find(environ: Mapping[str, str]) -> Found:
    """Return the chassis of each BMC of INFEROMETER_REDFISH; one that cannot be used becomes an absence."""
    found = Found()
    for url in environ.get("INFEROMETER_REDFISH", "").split():
        place = without_user(url)
        try:
            meters = tuple(_chassis(Address.parse(url), environ))
        except InferometerError as error:
            found += Found(absences=(Absence("redfish", "external", str(error), device=place),))
            continue
        found += Found(meters)
        if not meters:
            reason = "no chassis tells energy or power by EnvironmentMetrics or PowerSubsystem"
            found += Found(
                absences=(Absence("redfish", "external", reason, "update the BMC's firmware", place),)
            )
    return found


def _chassis(address: Address, environ: Mapping[str, str]) -> Iterator[RedfishMeter]:
    service = Service(address, environ)
    try:
        for path in members(service.get(f"{ROOT}/Chassis"))[:MOST_CHASSIS]:
            chassis = service.get(path)
            source = _source(service, chassis)
            if source is not None:
                told = " ".join(str(chassis.get(key) or "") for key in ("Manufacturer", "Model")).strip()
                name = shown(told or str(chassis.get("Name") or path))
                device = MeteredDevice(f"{address}{path}", name, "external", "redfish")
                yield RedfishMeter(device, source, Service(address, environ))
    finally:
        service.close()


def _source(service: Service, chassis: Mapping[str, Any]) -> Source | None:
    """Return the best of what a chassis tells."""
    path = link(chassis, "EnvironmentMetrics")
    metrics = service.get(path) if path else {}
    if counter := _counter(service, metrics, path, "EnergyJoules"):
        return counter
    if _known(metrics, "PowerWatts"):
        return _power(service, "PowerWatts", (path,), metrics["PowerWatts"])
    supplies = _supplies(service, chassis)
    if supplies:
        first = service.get(supplies[0])["InputPowerWatts"]
        return _power(service, "InputPowerWatts", supplies, first)
    return _counter(service, metrics, path, "EnergykWh")


def _counter(service: Service, metrics: Mapping[str, Any], path: str, key: str) -> Source | None:
    scale = _SCALES[key]
    for reading in ("LifetimeReading", "Reading"):  # the former is not set back by a user
        if _known(metrics, key, reading):
            step = scale * _step(metrics[key][reading])
            told_s = _sensing_s(service, metrics[key])
            traits = Traits(
                "counter", told_s or PERIOD_S, resolution=step, push=True, asked=True, period_known=told_s > 0
            )
            return Source(key, (path,), scale, traits, reading)
    return None


def _power(service: Service, key: str, paths: tuple[str, ...], excerpt: Mapping[str, Any]) -> Source:
    period_s = max(_sensing_s(service, excerpt) or PERIOD_S, SHORTEST_S)
    traits = Traits("power", period_s, period_s, _step(excerpt["Reading"]), integrates=False, push=True)
    return Source(key, paths, 1.0, traits, look_s=period_s)


def _sensing_s(service: Service, excerpt: Mapping[str, Any]) -> float:
    """Return how often the sensor behind an excerpt measures, by Sensor's SensingInterval ("PT1S"); 0 where it does not tell."""
    uri = excerpt.get("DataSourceUri")
    if not isinstance(uri, str) or not uri.startswith("/"):
        return 0.0
    try:
        told = str(service.get(uri).get("SensingInterval") or "")
    except MeterError:
        return 0.0
    match = _INTERVAL.fullmatch(told)
    return 60 * float(match[1] or 0) + float(match[2] or 0) if match else 0.0


def _supplies(service: Service, chassis: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics of the power supplies that tell their input power; () unless all that are there do."""
    subsystem = link(chassis, "PowerSubsystem")
    collection = link(service.get(subsystem), "PowerSupplies") if subsystem else ""
    found = []
    for path in members(service.get(collection)) if collection else ():
        supply = service.get(path)
        if (supply.get("Status") or {}).get("State") == "Absent":
            continue
        metrics = link(supply, "Metrics")
        if not metrics or not _known(service.get(metrics), "InputPowerWatts"):
            return ()
        found.append(metrics)
    return tuple(found)


def _known(resource: Mapping[str, Any], key: str, reading: str = "Reading") -> bool:
    excerpt = resource.get(key)
    value = excerpt.get(reading) if isinstance(excerpt, dict) else None
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _excerpt(resource: Mapping[str, Any], key: str, reading: str) -> int | Decimal:
    if not _known(resource, key, reading):
        raise MeterError(f"the BMC tells no {key}.{reading} now")
    value: int | Decimal = resource[key][reading]
    return value


def _step(value: int | Decimal) -> float:
    """Return the place of a number's last digit: 0.01 for 12.34, 1 for 12."""
    exponent = Decimal(value).as_tuple().exponent
    return float(10.0 ** min(exponent, 0)) if isinstance(exponent, int) else 1.0
