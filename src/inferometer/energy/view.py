"""What meters tell of the work on one device, from the readings that a sampler makes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.device import Device
from inferometer.energy.integration.aliasing import aliasing_flag, partial_period_s
from inferometer.energy.integration.cell_energy import (
    Span,
    above_idle_j,
    all_packages,
    device_energy,
    sockets,
    steady,
)
from inferometer.energy.integration.idle import IdleStretches
from inferometer.energy.integration.joules import Joules, explained, needed_window_s
from inferometer.energy.meters.found import Absence
from inferometer.energy.readings import Meter
from inferometer.energy.sampling.channel import Channel
from inferometer.energy.sampling.clock import Clock
from inferometer.energy.sampling.meter_facts import condition_flags, conditions
from inferometer.flags import Flag, flag
from inferometer.records import DeviceEnergy, Energy
from inferometer.records.energy import counted_once, is_strangers

if TYPE_CHECKING:
    from inferometer.energy.integration.visits import Stretch, VisitsEnergy

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


class MeterView:
    """Meters' records, which somebody else goes on filling, asked for the energy of work on ``device``."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        clock: Clock,
        absences: Sequence[Absence] = (),
        *,
        device: str = "",
        gpus: Mapping[str, str] | None = None,
    ) -> None:
        """``channels``: by device uid; ``gpus``: the UUIDs of those known by name ("cuda:0"), as `Session` has them."""
        self.channels = channels
        self.clock = clock
        self.absences = tuple(absences)
        self.device = device
        self._gpus = dict(gpus or {})
        self._idle = IdleStretches(self.steady)

    @property
    def meters(self) -> tuple[Meter, ...]:
        """Return the meters that are read."""
        return tuple(channel.meter for channel in self.channels.values())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why each absent meter is absent, with the remedy; a line each."""
        return tuple(absence.line for absence in self.absences)

    @property
    def missing(self) -> tuple[Absence, ...]:
        """Return the devices that cannot be metered though others of their kind are: no sum is of all of them."""
        metered = {(meter.device.meter, meter.device.type) for meter in self.meters}
        return tuple(a for a in self.absences if a.device and (a.meter, a.type) in metered)

    @property
    def reason(self) -> str:
        """Return 'no meter: ...' where none can tell the energy of this session's device; empty otherwise."""
        if any(self._can_work(meter.device.type, meter.device.uid) for meter in self.meters):
            return ""
        fitting = [a for a in self.absences if self._fits(a.type)] or list(self.absences)
        return f"{NO_METER}: " + ("; ".join(a.line for a in fitting) or f"none is known for {self._named()}")

    def part(self, device: str, uid: str) -> MeterView:
        """Return a view for work on ``device`` beside work on others: the host's meters and, of the GPUs', only ``uid``.

        Its idle stretches are its own from now on.
        """
        own = {
            key: channel
            for key, channel in self.channels.items()
            if channel.meter.device.type != "gpu" or key == uid
        }
        part = MeterView(own, self.clock, self.absences, device=device, gpus=self._gpus)
        part._idle = self._idle.part(part.steady)
        return part

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
        idle = {uid: self.idle_w(uid) for uid in self.channels}
        devices = [device_energy(c, loops, idle[uid]) for uid, c in self.channels.items()]
        for uids in sockets(m.device for m in self.meters if m.device.uid not in self._strangers):
            whole = all_packages([d for d in devices if d.device_uid in uids])
            idle[whole.device_uid] = _added([idle[uid] for uid in uids])
            devices.append(whole)
        primary = self._primary(counted_once(devices), idle)
        reason = "" if primary else self.reason
        absence = NO_METER if reason else ""
        return Energy(tuple(devices), primary, reason, idle.get(primary, {}), absence)

    def awaited_ns(self, energy: Energy, end_ns: int) -> int:
        """Return when meters that told no figure of work until ``end_ns`` must have had their next update; 0: none is awaited."""
        untold = {device.device_uid for device in energy.devices if device.energy_j is None}
        periods = [
            channel.meter.traits.late_s
            for uid, channel in self.channels.items()
            if uid in untold and not channel.track.failed
        ]
        return end_ns + round(max(periods) * 1e9) if periods else 0

    def parts(self, uid: str, spans: Sequence[tuple[int, int]]) -> list[Joules]:
        """Return one device's energy of each span, from the readings there are."""
        return [self._span(self.channels[uid], start_ns, end_ns) for start_ns, end_ns in spans]

    def visits(self, uid: str, stretches: Sequence[Stretch]) -> VisitsEnergy:
        """Return one device's energy of many visits together (start, end, covered; ns; in order, none overlapping)."""
        from inferometer.energy.integration.visits import visits_energy

        channel = self.channels[uid]
        window = channel.track.window(stretches[0][0], stretches[-1][1])
        return visits_energy(window, channel.meter.traits, stretches)

    def steady(self, uid: str, start_ns: int, end_ns: int, iteration_s: float = 0.0) -> Joules:
        """Return one device's energy over a stretch of unchanging work, from the readings there are.

        ``iteration_s``: how long a piece of the work takes within which power may vary; 0: not known.
        """
        return steady(self.channels[uid], start_ns, end_ns, iteration_s)

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
        missing = [
            flag("not-metered", device=a.device, reason=a.reason) for a in self.missing if self._fits(a.type)
        ]
        return (*told, *missing, *(caution for caution in cautions if caution))

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
        strange = uid in self._strangers or (device_type == "gpu" and another)
        return self._fits(device_type, device) and not strange

    @functools.cached_property
    def _strangers(self) -> frozenset[str]:
        """Return the processors and memory that are another host's."""
        devices = [meter.device for meter in self.meters]
        known = [(device.type, device.meter) for device in devices]
        return frozenset(d.uid for d in devices if is_strangers(d.type, d.meter, known))

    def _named(self) -> str:
        return f"{self.device} ({self._gpus[self.device]})" if self.device in self._gpus else "this device"

    def _working_channels(self, device: str) -> list[Channel]:
        channels = self.channels.values()
        return [c for c in channels if self._can_work(c.meter.device.type, c.meter.device.uid, device)]

    def _span(self, channel: Channel, start_ns: int, end_ns: int) -> Joules:
        from inferometer.energy.integration.integrate import span_energy

        window, traits = channel.track.window(start_ns, end_ns), channel.meter.traits
        return explained(span_energy(window, traits, start_ns, end_ns), traits, (end_ns - start_ns) / 1e9)

    def _primary(self, devices: Iterable[DeviceEnergy], idle: Mapping[str, dict[str, float]]) -> str:
        """Return the uid of the device that the work was given to; where that is not known, of the one with the most
        energy above idle among those that can have done it."""
        able = [d for d in devices if self._can_work(d.device_type, d.device_uid)]
        own = [d for d in able if d.device_uid == self._gpus.get(self.device)]
        if not own and _family(self.device) == "gpu":
            own = [d for d in able if d.device_type == "gpu"]
        best = max(own or able, key=lambda d: above_idle_j(d, idle[d.device_uid]), default=None)
        return best.device_uid if best else ""


def _family(device: str) -> str:
    """Return the family of a device by name, "" of none."""
    return Device.parse(device).family if device else ""


def _added(powers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the sums of the labels that all have."""
    labels = set(powers[0]).intersection(*powers)
    return {label: sum(power[label] for power in powers) for label in sorted(labels)}
