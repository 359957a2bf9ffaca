"""Named regions of anyone's own code, and the joules of each on every metered device.

A region may be entered again and again, nested, overlapped with others and entered by several threads; each thread's
visits are counted apart. All visits of a region are one measurement: see `integration/visits.py`.
"""

from __future__ import annotations

import itertools
import os
import threading
import warnings
import weakref
from collections.abc import Mapping
from typing import Any

from inferometer.energy.integration.joules import Joules
from inferometer.energy.regions.region import Region
from inferometer.energy.regions.results import RegionEnergy, RegionResults
from inferometer.energy.regions.total import SETTLED_AFTER_NS, Stretch, Total, Visit, join_visits
from inferometer.energy.session import Session, open_session
from inferometer.errors import UsageError
from inferometer.records import DeviceEnergy
from inferometer.units import counted

_profiles: weakref.WeakSet[Profile] = weakref.WeakSet()


class _OwnTotals(threading.local):
    """The regions of the thread that asks. A thread is known by a number, since its ident is used again after its end."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.totals: dict[Any, Total] = {}


class Profile:
    """Regions over one session; safe to use from several threads."""

    def __init__(self, session: Session | None = None) -> None:
        """Use ``session`` (started here if it is not), or open one for every meter of this machine."""
        self.session = session or open_session()
        self.session.start()
        if caution := self.session.order_caution:
            warnings.warn(caution, RuntimeWarning, stacklevel=2)
        self._read_meters, self._now_ns = self.session.sampler.read_fast, self.session.sampler.clock.now_ns
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._totals: dict[tuple[int, Any], Total] = {}
        self._thread = _OwnTotals()
        self._settling: list[threading.Thread] = []
        self._numbers = itertools.count()
        _profiles.add(self)

    def region(self, name: str) -> Region:
        """Return a region: use it with `with`, or as a decorator."""
        return Region(name, lambda: self)

    def begin(self, name: str, key: Any = None) -> Visit:
        """Enter a region; ``key`` tells regions of one name apart. As `enter`, written out: one call less at every edge."""
        total = self._thread.totals.get(name if key is None else key) or self.define(name, key)
        start_ns = self._read_meters()
        visit = Visit(total, start_ns, self)
        total.open[id(visit)] = start_ns
        return visit

    def enter(self, total: Total) -> Visit:
        """Enter a region that was defined, possibly by another thread."""
        start_ns = self._read_meters()
        visit = Visit(total, start_ns, self)
        total.open[id(visit)] = start_ns
        return visit

    def define(self, name: str, key: Any = None) -> Total:
        """Return this thread's total of a region, made on first use."""
        own = self._thread
        key = name if key is None else key
        total = own.totals.get(key)
        if total is None:
            with self._lock:
                if own.number is None:
                    own.number = next(self._numbers)
                total = own.totals[key] = self._totals[own.number, key] = Total(name, own.number)
        return total

    def end(self, visit: Visit) -> None:
        """Leave a region; UsageError if that was done, or if ``visit`` is not what `begin` returned.

        A forked child that leaves a region of its parent's is warned: the visit is the parent's to end.
        """
        end_ns = self._now_ns()
        if not isinstance(visit, Visit):
            raise UsageError(f"end takes what begin returned, not {visit!r}")
        if os.getpid() != self._process:
            warnings.warn(
                f"region '{visit.total.name}' was begun before this process was forked: what the child does is not counted; "
                "begin a region in the child for that",
                RuntimeWarning,
                stacklevel=3,
            )
            return
        self._read_meters()
        with self._lock:
            if visit.ended:
                raise UsageError(f"this visit of region '{visit.total.name}' has ended already")
            visit.ended = True
            total = visit.total
            total.open.pop(id(visit), None)
            total.fresh.append((visit.start_ns, end_ns))
            full = len(total.fresh) >= total.limit and not total.settling
            total.settling |= full
        if full:
            self._settle_beside(total)

    def results(self) -> RegionResults:
        """Return the energy of every region so far, by thread and then by first use."""
        totals = self.totals()
        self.wait()
        missing = tuple(absence.line for absence in self.session.missing) if totals else ()
        return RegionResults(tuple(self.energy_of(total) for total in totals), missing)

    def totals(self) -> list[Total]:
        """Return every region so far, by thread and then by first use."""
        with self._lock:
            return sorted(self._totals.values(), key=lambda total: total.thread)

    def wait(self) -> None:
        """Wait for the meters' updates that enclose the last visit, at most for one period or so, and for what is being summed up."""
        self._join_settling()
        with self._lock:
            for total in self._totals.values():
                total.count()
            ends = [total.last_ns for total in self._totals.values() if total.last_ns]
        if ends and self.session.meters:
            self.session.await_update(max(ends))

    def close(self) -> None:
        """Stop sampling and let go of the meters."""
        self._join_settling()
        self.session.close()

    def note_fork(self) -> None:
        """Note with the regions that are being visited that this process was forked."""
        if os.getpid() == self._process:
            for total in tuple(self._totals.values()):
                total.forks += bool(total.open)

    def _settle_beside(self, total: Total) -> None:
        """Settle in a thread: the program that is measured would wait for it. Here where no thread can be begun any more."""
        thread = threading.Thread(target=self._settle, args=(total,), name="inferometer-visits", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, or there are as many as may be
            self._settle(total)
            return
        with self._lock:
            self._settling = [other for other in self._settling if other.is_alive()] + [thread]

    def _join_settling(self) -> None:
        for thread in self._settling:  # without the lock, which a forked child may find taken
            thread.join()

    def _settle(self, total: Total) -> None:
        """Join visits that follow one another, and sum up those that the meters have gone past.

        Visits are moved from one list to the other in one step: whoever asks meanwhile finds each of them once.
        """
        enclosed_ns = self.session.sampler.clock.now_ns() - SETTLED_AFTER_NS
        with self._lock:
            old = total.take_old(enclosed_ns)
        if not old:
            return
        try:
            found = self._energies(old)
        except BaseException:
            total.settling = False  # they are kept, and tried again when there are twice as many
            raise
        with self._lock:
            total.settle(old, found)

    def _energies(self, visits: list[Stretch]) -> Mapping[str, Any]:
        if not visits:
            return {}
        uids = [meter.device.uid for meter in self.session.meters]
        return {uid: self.session.visits(uid, visits) for uid in uids}

    def energy_of(self, total: Total) -> RegionEnergy:
        """Return one region's energy, from the readings there are."""
        from inferometer.energy.integration.joules import explained
        from inferometer.energy.integration.visits import together

        with self._lock:
            total.count()
            pending, visits, time_ns = list(total.pending), total.visits, total.time_ns
            forks, unended = total.forks, len(total.open)
            settled = {uid: list(parts) for uid, parts in total.settled.items()}
            busy_ns = total.settled_ns
        joined = join_visits(pending)
        busy_s = (busy_ns + sum(covered for _, _, covered in joined)) / 1e9
        found = self._energies(joined)
        devices = []
        for meter in self.session.meters:
            device = meter.device
            parts = settled.get(device.uid, []) + ([found[device.uid]] if device.uid in found else [])
            joules = together(parts).joules() if parts else Joules("unresolved", reason="never left")
            joules = explained(joules, meter.traits, busy_s)
            devices.append(
                DeviceEnergy(
                    device.uid, device.name, device.type, device.meter, joules.source, busy_s, 0,
                    joules.energy_j, joules.low_j, joules.high_j, reason=joules.reason,
                )
            )  # fmt: skip
        notes = []
        if forks:
            notes.append(f"forked {forks} times within: the children's energy is in it, their time is not")
        if unended:
            notes.append(f"{counted(unended, 'more visit')} not ended yet: in no figure")
        return RegionEnergy(
            total.name,
            total.thread,
            visits,
            time_ns / 1e9,
            busy_s,
            tuple(devices),
            self.session.reason,
            "; ".join(notes),
            unended,
        )


def _forked() -> None:
    for profile in tuple(_profiles):
        profile.note_fork()


def _is_child() -> None:
    for profile in tuple(_profiles):
        profile.session.sampler.forked()


os.register_at_fork(after_in_parent=_forked, after_in_child=_is_child)
