"""The meters of a run: found, sampled beside the work, and asked for the energy of each cell's loops."""

from __future__ import annotations

import contextlib
import copy
import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from inferometer.device import Device
from inferometer.energy.integration.aliasing import aliasing_flag, partial_period_s
from inferometer.energy.integration.cell_energy import (
    Span,
    above_idle_j,
    all_packages,
    device_energy,
    is_package,
    steady,
)
from inferometer.energy.integration.idle import IdleStretches
from inferometer.energy.integration.joules import Joules, needed_window_s
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.found import Absence
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import Meter
from inferometer.energy.sampling.meter_facts import condition_flags, conditions, meter_facts
from inferometer.energy.sampling.sampler import PACE_S, Channel, Clock, Sampler
from inferometer.flags import Flag
from inferometer.records import DeviceEnergy, Energy

SHORTEST_WINDOW_S = 1.0
NO_METER = "no meter"
# which devices' meters see the work of a family of devices
_WITNESSES = {"cpu": ("cpu", "psys", "external"), "gpu": ("gpu", "external")}
_ALL_WITNESSES = ("gpu", "cpu", "psys", "external")


@dataclass(frozen=True)
class MeterNeeds:
    """What the meters of a device need of the loops on it."""

    window_s: float = 0.0  # loops go on for at least so long
    updates_s: tuple[float, ...] = ()  # update periods of those that see a part of the time only


class Session:
    """Meters with their sampler. Made by `open_session`; absent meters leave `reasons`, never an exception."""

    def __init__(
        self,
        meters: Sequence[Meter],
        absences: Sequence[Absence] = (),
        *,
        device: str = "",
        gpus: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        pace_s: float = PACE_S,
        track_pace_s: float | None = None,
        characterized: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """``gpus``: the UUIDs of the GPUs known by name ("cuda:0"); work on one of them is told by its own meter alone."""
        self.device = device
        self._gpus = dict(gpus or {})
        self.absences = tuple(absences)
        self.characterized = characterized or {}
        self.sampler = Sampler(meters, clock, pace_s=pace_s, track_pace_s=track_pace_s)
        self._idle = IdleStretches(self.steady)

    @property
    def meters(self) -> tuple[Meter, ...]:
        """Return the meters that are read."""
        return tuple(channel.meter for channel in self.sampler.channels.values())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why each absent meter is absent, with the remedy; a line each."""
        return tuple(absence.line for absence in self.absences)

    @property
    def reason(self) -> str:
        """Return 'no meter: ...' where none can tell the energy of this session's device; empty otherwise."""
        if any(self._can_work(meter.device.type, meter.device.uid) for meter in self.meters):
            return ""
        fitting = [a for a in self.absences if self._fits(a.type)] or list(self.absences)
        return f"{NO_METER}: " + ("; ".join(a.line for a in fitting) or f"none is known for {self._named()}")

    def part(self, device: str, uid: str) -> Session:
        """Return a session for work on ``device`` beside work on others: the host's meters and, of the GPUs', only ``uid``.

        This session, which must have been started, goes on reading them; the part's idle stretches are its own from now on.
        """
        own = {m.device.uid for m in self.meters if m.device.type != "gpu" or m.device.uid == uid}
        part = copy.copy(self)
        part.device = device
        part.sampler = self.sampler.part(own)
        part._idle = self._idle.part(part.steady)
        return part

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
        for meter in self.meters:
            with contextlib.suppress(Exception):  # others' code: every other meter is let go of all the same
                meter.close()

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def mark_idle(self, start_ns: int, end_ns: int, label: str) -> None:
        """Say that nothing ran between two moments: label 'before' and 'after' all work, or 'loaded' (model in memory)."""
        self._idle.mark(start_ns, end_ns, label)

    def energy(self, spans: Sequence[Span]) -> Energy:
        """Return the energy of one cell's loops (start, end, images; back to back) for every metered device."""
        loops = [span for span in spans if span[1] > span[0]]
        if not self.meters:
            return Energy(reason=self.reason, absence=NO_METER)
        if not loops:
            return Energy(reason="no loop was timed on this host's clock", absence="not timed")
        idle = {uid: self.idle_w(uid) for uid in self.sampler.channels}
        devices = [device_energy(c, loops, idle[uid]) for uid, c in self.sampler.channels.items()]
        parts = [d for d in devices if is_package(d)]
        whole = [all_packages(parts)] if len(parts) > 1 else []
        for cpu in whole:  # of several sockets
            idle[cpu.device_uid] = _added([idle[d.device_uid] for d in parts])
        candidates = [*whole, *(d for d in devices if not (whole and d in parts))]
        primary = self._primary(candidates, idle)
        reason = "" if primary else self.reason
        absence = NO_METER if reason else ""
        return Energy((*devices, *whole), primary, reason, idle.get(primary, {}), absence)

    def await_reports(self, limit_s: float = 3.0) -> None:
        """Wait until the meters that report by themselves have done so, and their pace is known."""
        if any(meter.traits.push for meter in self.meters):
            self.sampler.wait_past(self.sampler.clock.now_ns(), limit_s)

    def span(self, start_ns: int, end_ns: int) -> dict[str, Joules]:
        """Return the energy of any stretch of time by device uid, waiting for the updates that enclose its end."""
        self.sampler.wait_past(end_ns, self._enclosing_s())
        return {uid: self._span(channel, start_ns, end_ns) for uid, channel in self.sampler.channels.items()}

    def parts(self, uid: str, spans: Sequence[tuple[int, int]]) -> list[Joules]:
        """Return one device's energy of each span, from the readings there are."""
        return [self._span(self.sampler.channels[uid], start_ns, end_ns) for start_ns, end_ns in spans]

    def steady(self, uid: str, start_ns: int, end_ns: int, iteration_s: float = 0.0) -> Joules:
        """Return one device's energy over a stretch of unchanging work, from the readings there are.

        ``iteration_s``: how long a piece of the work takes within which power may vary; 0: not known.
        """
        return steady(self.sampler.channels[uid], start_ns, end_ns, iteration_s)

    def idle_w(self, uid: str) -> dict[str, float]:
        """Return a device's mean power (W) at rest, of the latest stretch of each label."""
        return self._idle.power_w(uid)

    def window_s(self, target: float = 0.01, limit_s: float = 10.0, device: str | None = None) -> float:
        """Return how long a cell's loops should be metered for a 95 % interval of ± ``target``; 0.0 without a meter."""
        needs = [
            needed_window_s(channel.meter.traits, target, channel.edge_s)
            for channel in self._working_channels(self.device if device is None else device)
        ]
        return min(max([SHORTEST_WINDOW_S, *needs]), limit_s) if needs else 0.0

    def needs(self, device: str) -> MeterNeeds:
        """Return what the meters that can tell the energy of work on ``device`` need of its loops."""
        periods = {partial_period_s(channel.meter.traits) for channel in self._working_channels(device)}
        return MeterNeeds(self.window_s(device=device), tuple(sorted(periods - {0.0})))

    def conditions(self, spans: Sequence[Span]) -> dict[str, dict[str, Any]]:
        """Return the facts that rode along on the devices that can have done the work, by uid.

        Least and largest of numbers (clocks in Hz, temperature in degrees C, utilisation as a share), every distinct text.
        """
        if not spans:
            return {}
        start_ns, end_ns = min(s[0] for s in spans), max(s[1] for s in spans)
        working = self._working_channels(self.device)
        found = {c.meter.device.uid: conditions(c, start_ns, end_ns) for c in working}
        return {uid: facts for uid, facts in found.items() if facts}

    def flags(self, spans: Sequence[Span], batches: float = 1.0) -> tuple[Flag, ...]:
        """Return what a reader must know of these loops of so many batches: throttling, clocks, work in step with a meter."""
        told = [f for uid, facts in self.conditions(spans).items() for f in condition_flags(uid, facts)]
        loops = [(start, end) for start, end, _ in spans]
        cautions = (aliasing_flag(channel, loops, batches) for channel in self._working_channels(self.device))
        return (*told, *(caution for caution in cautions if caution))

    def describe(self) -> tuple[dict[str, Any], ...]:
        """Return each meter and each absence as stored in run.json; read costs and idle power are those so far."""
        found = []
        for uid, channel in self.sampler.channels.items():
            extra = {"idle_w": self.idle_w(uid), "characterized": self.characterized.get(uid)}
            found.append(meter_facts(channel) | {key: value for key, value in extra.items() if value})
        absent = [msgspec.to_builtins(absence) for absence in self.absences]
        return tuple(found + absent)

    def _fits(self, device_type: str, device: str | None = None) -> bool:
        """Tell whether a device of this type can have done the work of ``device``, by default this session's."""
        return device_type in _WITNESSES.get(
            _family(self.device if device is None else device), _ALL_WITNESSES
        )

    def _can_work(self, device_type: str, uid: str, device: str | None = None) -> bool:
        """Tell whether this very device can have done it: of several GPUs the one that the work was given to."""
        own = self._gpus.get(self.device if device is None else device)
        # another host's meter of this card, or a plug-in's, may hold its UUID in a longer name, or none
        another = own is not None and any(u in uid for u in self._gpus.values() if u != own)
        return self._fits(device_type, device) and not (device_type == "gpu" and another)

    def _named(self) -> str:
        return f"{self.device} ({self._gpus[self.device]})" if self.device in self._gpus else "this device"

    def _working_channels(self, device: str) -> list[Channel]:
        channels = self.sampler.channels.values()
        return [c for c in channels if self._can_work(c.meter.device.type, c.meter.device.uid, device)]

    def _enclosing_s(self) -> float:
        periods = [m.traits.period_s for m in self.meters]
        return min(max([0.25, *(3 * p for p in periods)]), 5.0)

    def _span(self, channel: Channel, start_ns: int, end_ns: int) -> Joules:
        from inferometer.energy.integration.integrate import span_energy

        window = channel.track.window(start_ns, end_ns)
        return span_energy(window, channel.meter.traits, start_ns, end_ns)

    def _primary(self, devices: Iterable[DeviceEnergy], idle: Mapping[str, dict[str, float]]) -> str:
        """Return the uid of the device that the work was given to; where that is not known, of the one with the most
        energy above idle among those that can have done it."""
        able = [d for d in devices if self._can_work(d.device_type, d.device_uid)]
        own = [d for d in able if d.device_uid == self._gpus.get(self.device)]
        if not own and _family(self.device) == "gpu":
            own = [d for d in able if d.device_type == "gpu"]
        best = max(own or able, key=lambda d: above_idle_j(d, idle[d.device_uid]), default=None)
        return best.device_uid if best else ""


def open_session(
    device: str = "",
    meters: Iterable[str] | None = None,
    *,
    gpus: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    pace_s: float = PACE_S,
    track_pace_s: float | None = None,
    powercap: str | None = None,
) -> Session:
    """Find this machine's meters and return a session for work on ``device`` ('cpu', 'cuda:0'; '': any).

    ``gpus``: the machine's GPUs, name ("cuda:0") to UUID, as far as known. ``meters``: terms as in `Selection` ('nvml',
    '!rapl', 'type=gpu', 'mqtt://host:1883/topic'). Never raises for an absent or broken meter: see `Session.reasons`.
    ``track_pace_s``: how often to look at an integrating counter that is updated seldom (`STEADY_PACE_S` is enough for
    loops of seconds). UsageError only for a term that means nothing.
    """
    from inferometer.energy.meters.known_traits import apply_stored

    selection = Selection.parse(meters or ())
    found = discover(selection, os.environ, powercap=powercap)
    known = apply_stored(found.meters)
    return Session(
        found.meters,
        found.absences,
        device=device,
        gpus=gpus,
        clock=clock,
        pace_s=pace_s,
        track_pace_s=track_pace_s,
        characterized=known,
    )


def _family(device: str) -> str:
    """Return the family of a device by name, "" of none."""
    return Device.parse(device).family if device else ""


def _added(powers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the sums of the labels that all have."""
    labels = set(powers[0]).intersection(*powers)
    return {label: sum(power[label] for power in powers) for label in sorted(labels)}
