"""Named regions of anyone's own code, and the joules of each on every metered device.

A region may be entered again and again, nested, overlapped with others and entered by several threads; each thread's
visits are counted apart. Visits that follow one another closely are reckoned as one stretch, so many short ones back
to back have an energy where a single one would be too short for the meter.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from inferometer.energy.integrate import Joules, combine, merge_spans
from inferometer.energy.session import Session, open_session
from inferometer.errors import UsageError
from inferometer.records import DeviceEnergy

P = ParamSpec("P")
R = TypeVar("R")

JOINED_GAP_NS = 1_000_000
SETTLE_AT = 4096  # visits kept before they are summed up
COLUMNS = (
    "thread", "region", "visits", "time_s", "device_name", "device_uid", "device_type", "meter", "source",
    "energy_j", "low_j", "high_j", "power_w", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class RegionEnergy:
    """One region as visited by one thread: seconds are always known, joules where a meter could tell."""

    name: str
    thread: int  # 0, 1, ... by first appearance
    visits: int
    seconds: float
    devices: tuple[DeviceEnergy, ...]
    reason: str = ""  # "no meter: ..." where no device is metered

    @property
    def energy_j(self) -> float | None:
        """Return the joules of the one metered device, or of all together; None if any is unknown or none is metered."""
        known = [d.energy_j for d in self.devices]
        if not known or any(v is None for v in known):
            return None
        return sum(v for v in known if v is not None)


@dataclass(frozen=True)
class Results:
    """Every region's energy; a row a region, thread and device in `rows`, `to_pandas` and `to_csv`."""

    regions: tuple[RegionEnergy, ...]

    def __iter__(self) -> Iterator[RegionEnergy]:
        return iter(self.regions)

    def __getitem__(self, name: str) -> RegionEnergy:
        """Return the first region of that name; KeyError if there is none."""
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(name)

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
        writer.writerows(self.rows())
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8", newline="")
        return text.getvalue()


@dataclass
class Total:
    """What one thread did within one region so far."""

    name: str
    thread: int
    visits: int = 0
    time_ns: int = 0
    pending: list[tuple[int, int]] = field(default_factory=list)
    settled: dict[str, list[Joules]] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """A region being visited: give it to `Profile.end`."""

    total: Total
    start_ns: int


class Profile:
    """Regions over one session; safe to use from several threads."""

    def __init__(self, session: Session | None = None) -> None:
        """Use ``session`` (started here if it is not), or open one for every meter of this machine."""
        self.session = session or open_session()
        self.session.start()
        self._lock = threading.Lock()
        self._totals: dict[tuple[int, Any], Total] = {}
        self._thread = threading.local()
        self._numbers = itertools.count()

    def region(self, name: str) -> Region:
        """Return a region: use it with `with`, or as a decorator."""
        return Region(name, lambda: self)

    def begin(self, name: str, key: Any = None) -> Visit:
        """Enter a region; ``key`` tells regions of one name apart."""
        return self.enter(self.define(name, key))

    def enter(self, total: Total) -> Visit:
        """Enter a region that was defined, possibly by another thread."""
        with self._lock:
            total.visits += 1
        self.session.sampler.read_fast()
        return Visit(total, self.session.sampler.clock.now_ns())

    def define(self, name: str, key: Any = None) -> Total:
        """Return this thread's total of a region, made on first use."""
        with self._lock:
            if not hasattr(self._thread, "number"):  # a thread's ident is used again after its end
                self._thread.number = next(self._numbers)
            thread = int(self._thread.number)
            return self._totals.setdefault((thread, name if key is None else key), Total(name, thread))

    def end(self, visit: Visit) -> None:
        """Leave a region."""
        end_ns = self.session.sampler.clock.now_ns()
        self.session.sampler.read_fast()
        with self._lock:
            visit.total.time_ns += end_ns - visit.start_ns
            visit.total.pending.append((visit.start_ns, end_ns))
            full = len(visit.total.pending) >= SETTLE_AT
        if full:
            self._settle(visit.total)

    def results(self) -> Results:
        """Return the energy of every region so far, by thread and then by first use."""
        totals = self.totals()
        self.wait()
        return Results(tuple(self.energy_of(total) for total in totals))

    def totals(self) -> list[Total]:
        """Return every region so far, by thread and then by first use."""
        with self._lock:
            return sorted(self._totals.values(), key=lambda total: total.thread)

    def wait(self) -> None:
        """Wait for the meters' updates that enclose the last visit."""
        ends = [end for total in self.totals() for _, end in total.pending]
        if ends and self.session.meters:
            self.session.span(max(ends), max(ends))

    def close(self) -> None:
        """Stop sampling and let go of the meters."""
        self.session.close()

    def _settle(self, total: Total) -> None:
        with self._lock:
            spans, total.pending = total.pending, []
        for uid, parts in self._energies(spans).items():
            total.settled.setdefault(uid, []).append(combine(parts))

    def _energies(self, spans: list[tuple[int, int]]) -> dict[str, list[Joules]]:
        if not spans:
            return {}
        merged = merge_spans(spans, JOINED_GAP_NS)
        return {
            meter.device.uid: self.session.parts(meter.device.uid, merged) for meter in self.session.meters
        }

    def energy_of(self, total: Total) -> RegionEnergy:
        """Return one region's energy, from the readings there are."""
        with self._lock:
            spans, visits, time_ns = list(total.pending), total.visits, total.time_ns
        energies = self._energies(spans)
        devices = []
        for meter in self.session.meters:
            parts = total.settled.get(meter.device.uid, []) + energies.get(meter.device.uid, [])
            joules = combine(parts) if parts else Joules("unresolved", reason="never left")
            device = meter.device
            devices.append(
                DeviceEnergy(
                    device.uid, device.name, device.type, device.meter, joules.source, time_ns / 1e9, 0,
                    joules.energy_j, joules.low_j, joules.high_j, reason=joules.reason,
                )
            )  # fmt: skip
        return RegionEnergy(
            total.name, total.thread, visits, time_ns / 1e9, tuple(devices), self.session.reason
        )


class Region(AbstractContextManager["Region"]):
    """A named region: `with Region(...)`, or a decorator; one object may be nested in itself and shared by threads."""

    def __init__(self, name: str, profile: Callable[[], Profile]) -> None:
        self.name = name
        self._profile = profile
        self._visits = threading.local()

    def __enter__(self) -> Region:
        self._stack().append(self._profile().begin(self.name))
        return self

    def __exit__(self, *exc: object) -> None:
        visit = self._stack().pop()
        self._profile().end(visit)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return ``function`` with each call measured as a visit."""

        @functools.wraps(function)
        def measured(*arguments: P.args, **options: P.kwargs) -> R:
            with self:
                return function(*arguments, **options)

        return measured

    def _stack(self) -> list[Visit]:
        if not hasattr(self._visits, "stack"):
            self._visits.stack = []
        stack: list[Visit] = self._visits.stack
        return stack


def _rows(region: RegionEnergy) -> Iterable[dict[str, Any]]:
    head = {"thread": region.thread, "region": region.name, "visits": region.visits, "time_s": region.seconds}
    blank = dict.fromkeys(itertools.islice(COLUMNS, 4, None))
    if not region.devices:
        yield head | blank | {"source": "none", "reason": region.reason}
    for device in region.devices:
        power = device.energy_j / region.seconds if device.energy_j is not None and region.seconds else None
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
            "reason": device.reason,
        }


_default: dict[
    int, Profile
] = {}  # by process: a forked child has no sampling thread and opens meters of its own
_default_lock = threading.Lock()


def default_profile() -> Profile:
    """Return this process's profile over every meter, opened on first use."""
    with _default_lock:
        if os.getpid() not in _default:
            _default.clear()
            _default[os.getpid()] = Profile()
        return _default[os.getpid()]


def configure(meters: Iterable[str] | None = None, *, device: str = "", powercap: str | None = None) -> None:
    """Choose the meters of this process's regions; to be called before the first region."""
    with _default_lock:
        if os.getpid() in _default:
            raise UsageError(
                "regions were measured already; call configure before the first region, or reset()"
            )
        _default.clear()
        _default[os.getpid()] = Profile(open_session(device, meters, powercap=powercap))


def region(name: str) -> Region:
    """Return a region of this process: `with region("load"):`, or `@region("load")`."""
    return Region(name, default_profile)


def begin(name: str) -> Visit:
    """Enter a region of this process; end it with `end`."""
    return default_profile().begin(name)


def end(visit: Visit) -> None:
    """Leave the region."""
    default_profile().end(visit)


def results() -> Results:
    """Return the energy of every region of this process."""
    return default_profile().results()


def reset() -> None:
    """Forget this process's regions and let go of the meters."""
    with _default_lock:
        for profile in _default.values():
            profile.close()
        _default.clear()
