"""The meters of a run: found, sampled beside the work, and asked for the energy of each cell's loops."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from inferometer.energy.integration.joules import Joules
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.found import Absence
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import Meter
from inferometer.energy.sampling.clock import Clock
from inferometer.energy.sampling.meter_facts import meter_facts
from inferometer.energy.sampling.pacing import REGIONS, Pacing
from inferometer.energy.sampling.sampler import Sampler
from inferometer.energy.view import MeterView
from inferometer.host.gpus import order_caution

_LATE_S = 1.0  # by which a read may come late where others have the processors


class Session(MeterView):
    """Meters with their sampler. Made by `open_session`; absent meters leave `reasons`, never an exception."""

    def __init__(
        self,
        meters: Sequence[Meter],
        absences: Sequence[Absence] = (),
        *,
        device: str = "",
        gpus: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        pacing: Pacing = REGIONS,
        characterized: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """``gpus``: the UUIDs of the GPUs known by name ("cuda:0"); work on one of them is told by its own meter alone."""
        self.sampler = Sampler(meters, clock, pacing=pacing)
        super().__init__(self.sampler.channels, self.sampler.clock, absences, device=device, gpus=gpus)
        self.characterized = characterized or {}

    def start(self) -> None:
        """Begin to sample."""
        importlib.import_module("inferometer.energy.integration.integrate")  # now, not between two cells
        self.sampler.start()

    def stop(self) -> None:
        """End the sampling thread; energies can still be asked for."""
        self.sampler.stop()

    def close(self) -> None:
        """Stop, and let go of the meters."""
        self.stop()
        self.sampler.let_go()
        for meter in self.meters:
            with contextlib.suppress(Exception):  # others' code: every other meter is let go of all the same
                meter.close()

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def order_caution(self) -> str:
        """Return why this process's programs may use other cards than those metered, "" if they do not."""
        cards = any(meter.device.meter == "nvml" for meter in self.meters)
        return order_caution(os.environ) if cards else ""

    def await_reports(self, limit_s: float = 3.0) -> None:
        """Wait until the meters that report by themselves have done so, and their pace is known."""
        if any(meter.traits.push for meter in self.meters):
            self.sampler.wait_past(self.clock.now_ns(), limit_s)

    def span(self, start_ns: int, end_ns: int) -> dict[str, Joules]:
        """Return the energy of any stretch of time by device uid, waiting for the updates that enclose its end."""
        self.await_update(end_ns)
        return {uid: self._span(channel, start_ns, end_ns) for uid, channel in self.channels.items()}

    def await_update(self, at_ns: int) -> None:
        """Wait until every meter that works has been updated after a moment: a period of the slowest, and its reads."""
        self.sampler.wait_past(at_ns, self._enclosing_s())

    def describe(self) -> tuple[dict[str, Any], ...]:
        """Return each meter and each absence as stored in run.json; read costs and idle power are those so far."""
        found = []
        for uid, channel in self.channels.items():
            extra = {"idle_w": self.idle_w(uid), "characterized": self.characterized.get(uid)}
            found.append(meter_facts(channel) | {key: value for key, value in extra.items() if value})
        absent = [msgspec.to_builtins(absence) for absence in self.absences]
        return tuple(found + absent)

    def _enclosing_s(self) -> float:
        """Return how long the next update may take: a few periods, but of a meter with long ones no more than it needs."""
        periods = [m.traits.period_s for m in self.meters]
        return max([_LATE_S, *(max(min(3 * p, 5.0), 1.5 * p + _LATE_S) for p in periods)])


def open_session(
    device: str = "",
    meters: Iterable[str] | None = None,
    *,
    gpus: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    pacing: Pacing = REGIONS,
    powercap: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Session:
    """Find this machine's meters and return a session for work on ``device`` ('cpu', 'cuda:0'; '': any).

    ``gpus``: the machine's GPUs, name ("cuda:0") to UUID, as far as known. ``meters``: terms as in `Selection` ('nvml',
    '!rapl', 'type=gpu', 'mqtt://host:1883/topic'). Never raises for an absent or broken meter: see `Session.reasons`.
    ``pacing``: how often to look at them (`STEADY` is enough for loops of seconds). ``environ``: the variables that
    meters heed; by default this process's. UsageError only for a term that means nothing, and a ``powercap`` that is no folder.
    """
    from inferometer.energy.meters.known_traits import apply_stored

    selection = Selection.parse(meters or ())
    found = discover(selection, os.environ if environ is None else environ, powercap=powercap)
    known = apply_stored(found.meters)
    return Session(
        found.meters,
        found.absences,
        device=device,
        gpus=gpus,
        clock=clock,
        pacing=pacing,
        characterized=known,
    )
