"""Named regions of anyone's own code, and the joules of each on every metered device.

A region may be entered again and again, nested, overlapped with others and entered by several threads; each thread's
visits are counted apart. Visits that follow one another closely are reckoned as one stretch, so many short ones back
to back have an energy where a single one would be too short for the meter.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from inferometer.energy.integration.joules import Joules, combine
from inferometer.energy.regions.results import RegionEnergy, RegionResults
from inferometer.energy.session import Session, open_session
from inferometer.errors import UsageError
from inferometer.records import DeviceEnergy

P = ParamSpec("P")
R = TypeVar("R")

JOINED_GAP_NS = 1_000_000
SETTLE_AT = 4096  # visits kept before they are summed up
SETTLED_AFTER_NS = 10_000_000_000  # by then every meter's updates have enclosed a visit

Stretch = tuple[int, int, int]  # start, end, and how much of it visits cover (ns)


@dataclass
class Total:
    """What one thread did within one region so far."""

    name: str
    thread: int
    visits: int = 0
    time_ns: int = 0
    limit: int = SETTLE_AT
    pending: list[Stretch] = field(default_factory=list)
    settled: dict[str, list[Joules]] = field(default_factory=dict)


@dataclass
class Visit:
    """A region being visited: give it to `Profile.end`, once."""

    total: Total
    start_ns: int
    ended: bool = False


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
        """Leave a region; UsageError if that was done, or if ``visit`` is not what `begin` returned."""
        end_ns = self.session.sampler.clock.now_ns()
        self.session.sampler.read_fast()
        if not isinstance(visit, Visit):
            raise UsageError(f"end takes what begin returned, not {visit!r}")
        with self._lock:
            if visit.ended:
                raise UsageError(f"this visit of region '{visit.total.name}' has ended already")
            visit.ended = True
            visit.total.time_ns += end_ns - visit.start_ns
            visit.total.pending.append((visit.start_ns, end_ns, end_ns - visit.start_ns))
            full = len(visit.total.pending) >= visit.total.limit
        if full:
            self._settle(visit.total)

    def results(self) -> RegionResults:
        """Return the energy of every region so far, by thread and then by first use."""
        totals = self.totals()
        self.wait()
        return RegionResults(tuple(self.energy_of(total) for total in totals))

    def totals(self) -> list[Total]:
        """Return every region so far, by thread and then by first use."""
        with self._lock:
            return sorted(self._totals.values(), key=lambda total: total.thread)

    def wait(self) -> None:
        """Wait for the meters' updates that enclose the last visit."""
        ends = [end for total in self.totals() for _, end, _ in total.pending]
        if ends and self.session.meters:
            self.session.span(max(ends), max(ends))

    def close(self) -> None:
        """Stop sampling and let go of the meters."""
        self.session.close()

    def _settle(self, total: Total) -> None:
        """Join visits that follow one another, and sum up those that the meters have gone past."""
        enclosed_ns = self.session.sampler.clock.now_ns() - SETTLED_AFTER_NS
        with self._lock:
            total.pending = join_visits(total.pending)
            total.limit = max(2 * len(total.pending), SETTLE_AT)
            old = [visit for visit in total.pending if visit[1] < enclosed_ns]
            if len(old) < SETTLE_AT // 2:
                return
            total.pending = [visit for visit in total.pending if visit[1] >= enclosed_ns]
        for uid, parts in self._energies(old).items():
            total.settled.setdefault(uid, []).append(combine(parts))

    def _energies(self, visits: list[Stretch]) -> dict[str, list[Joules]]:
        joined = join_visits(visits)
        if not joined:
            return {}
        spans = [(start, end) for start, end, _ in joined]
        shares = [covered / max(end - start, 1) for start, end, covered in joined]
        return {
            meter.device.uid: [
                _share(joules, share)
                for joules, share in zip(self.session.parts(meter.device.uid, spans), shares, strict=True)
            ]
            for meter in self.session.meters
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


def join_visits(visits: Iterable[Stretch]) -> list[Stretch]:
    """Return the visits in order, those joined that lie at most `JOINED_GAP_NS` apart or overlap (recursion)."""
    joined: list[Stretch] = []
    for start, end, covered in sorted(visits):
        if joined and start - joined[-1][1] <= JOINED_GAP_NS:
            first, last, before = joined[-1]
            overlap = max(last - start, 0)
            joined[-1] = (first, max(end, last), before + max(covered - overlap, 0))
        else:
            joined.append((start, end, covered))
    return joined


def _share(joules: Joules, share: float) -> Joules:
    """Return the part of a stretch's energy that its visits have: what lies between them draws the same power or less."""
    energy = None if joules.energy_j is None else joules.energy_j * share
    low = None if joules.low_j is None else joules.low_j * share
    return Joules(joules.source, energy, low, joules.high_j, joules.reason)


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
        """Return ``function``, or coroutine function, with each call measured as a visit; UsageError for a generator."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"region '{self.name}' cannot decorate the generator {function.__name__}: its caller's work would be in it; "
                "use 'with region(...)' around the work between its yields"
            )
        if inspect.iscoroutinefunction(function):
            return self._around_coroutine(function)

        @functools.wraps(function)
        def measured(*arguments: P.args, **options: P.kwargs) -> R:
            with self:
                return function(*arguments, **options)

        return measured

    def _around_coroutine(self, function: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(function)
        async def measured(*arguments: P.args, **options: P.kwargs) -> Any:
            profile = self._profile()
            visit = profile.begin(self.name)  # not on the thread's stack: tasks that take turns do not nest
            try:
                return await function(*arguments, **options)
            finally:
                profile.end(visit)

        return measured

    def _stack(self) -> list[Visit]:
        if not hasattr(self._visits, "stack"):
            self._visits.stack = []
        stack: list[Visit] = self._visits.stack
        return stack
