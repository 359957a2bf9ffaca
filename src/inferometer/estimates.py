"""From the records of one pooled cell to estimates with intervals (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer import stats
from inferometer.records import Cell, DeviceEnergy, Parity, Record
from inferometer.stats import Floats

Key = tuple[int, int]  # (number of the run, round): a fresh process
Good = Sequence[tuple[Key, Record]]

WITHIN_ONE_PROCESS = "within one process"
PUBLISHED = "published"


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval (None: not known), SI unit, what it comes from, and how many rounds stand behind."""

    value: float
    low: float | None
    high: float | None
    unit: str
    source: str
    n: int

    def inverse(self, unit: str) -> Estimate:
        """Return the estimate of 1/value."""
        return Estimate(1 / self.value, _invert(self.high), _invert(self.low), unit, self.source, self.n)


def _invert(value: float | None) -> float | None:
    return 1 / value if value else None


@dataclass(frozen=True)
class Series:
    """Natural logarithms of one quantity, one a round, keyed so that two cells can be paired by round.

    ``within``: they are loops of a single process instead, which say nothing about the next process.
    """

    keys: tuple[Key, ...]
    logs: tuple[float, ...]
    within: bool = False

    def scaled(self, sign: int) -> Series:
        """Return the series of the quantity to the power ``sign``."""
        return self if sign == 1 else Series(self.keys, tuple(sign * x for x in self.logs), self.within)

    def plus(self, other: Series) -> Series:
        """Return the series of the product, over the rounds both have."""
        theirs = dict(zip(other.keys, other.logs, strict=True))
        pairs = [(k, x + theirs[k]) for k, x in zip(self.keys, self.logs, strict=True) if k in theirs]
        return Series(tuple(k for k, _ in pairs), tuple(x for _, x in pairs), self.within or other.within)


@dataclass(frozen=True)
class PrepareEstimate:
    """Seconds from nothing to ready, and of what: means over rounds (those with a cold compile cache, if any)."""

    total: Estimate
    load_s: float
    compile_s: float
    first_run_s: float


def estimate(good: Good, cell: Cell) -> dict[str, Any]:
    """Return the fields of a `CellSummary` that the rounds that ended well can fill."""
    fields: dict[str, Any] = {
        "rounds": len({key for key, record in good if record.loops}),
        "loops": sum(len(record.loops) for _, record in good),
    }
    if not good:
        return fields
    series: dict[str, Series] = {}
    for part in (_throughput(good), _latency(good, cell), _energy(good)):
        series |= part.pop("_series", {})
        fields |= part
    fields |= _prepare(good) | _memory(good, cell) | _parity(good)
    fields |= _published(good, fields)
    fields |= _efficiency(fields, series)
    fields["series"] = series
    fields["actual"] = next((r.actual for _, r in reversed(good) if r.actual), None)
    fields["phases"] = _phases(good)
    return fields


def _loop_rates(record: Record) -> Floats:
    """Return images/s of every loop."""
    seconds = np.array([loop.elapsed_s for loop in record.loops])
    images = np.array([loop.images or record.images for loop in record.loops], dtype=float)
    with np.errstate(divide="ignore"):
        return np.asarray(images / seconds)


def _throughput(good: Good) -> dict[str, Any]:
    timed = [(key, record, _loop_rates(record)) for key, record in good if record.loops]
    if not timed:
        return {}
    rates = np.concatenate([r for _, _, r in timed])
    if not np.all(np.isfinite(rates)) or not np.all(rates > 0):
        return {}
    series = _round_series((key, float(r.mean())) for key, _, r in timed)
    series, source = _or_loops(series, rates, timed[0][0])
    value = float(rates.mean())
    low, high = stats.around(value, stats.reach_of_mean(series.logs))
    count = len(timed)
    throughput = Estimate(value, low, high, "images/s", source, count)
    seconds = sum(loop.elapsed_s for _, record, _ in timed for loop in record.loops)
    images = sum((loop.images or record.images) for _, record, _ in timed for loop in record.loops)
    total = images / seconds
    low, high = stats.around(total, stats.reach_of_mean(series.logs))
    return {
        "throughput": throughput,
        "throughput_total": Estimate(total, low, high, "images/s", source, count),
        "latency_image": throughput.inverse("s"),
        "_series": {"throughput": series},
    }


def _round_series(values: Iterable[tuple[Key, float]]) -> Series:
    pairs = [(key, math.log(value)) for key, value in values if value > 0 and math.isfinite(value)]
    return Series(tuple(k for k, _ in pairs), tuple(x for _, x in pairs))


def _or_loops(series: Series, loops: Floats, key: Key) -> tuple[Series, str]:
    """Fall back on the loops where there is but one process, and say so."""
    if len(series.keys) > 1:
        return series, "rounds"
    return Series((key,) * len(loops), tuple(np.log(loops).tolist()), within=True), WITHIN_ONE_PROCESS


def full_batches(record: Record) -> Floats:
    """Return the latencies (s) of the record's full batches; a last partial batch of a loop is left out."""
    if not record.loops or not any(loop.batch_s for loop in record.loops):
        return np.empty(0)
    size = record.cell.batch_size
    parts = []
    for loop in record.loops:
        partial = (loop.images or record.images) % size != 0 and len(loop.batch_s) > 1
        parts.append(np.array(loop.batch_s[:-1] if partial else loop.batch_s, dtype=float))
    return np.concatenate(parts)


def _latency(good: Good, cell: Cell) -> dict[str, Any]:
    batches = [(key, b) for key, record in good if len(b := full_batches(record))]
    if not batches:
        return _latency_from_loops(good, cell)
    pooled = np.concatenate([b for _, b in batches])
    if not np.all(np.isfinite(pooled)):
        return {}
    levels = [50, 90, 99]
    found = {"latency_batch": float(pooled.mean())} | dict(
        zip(("p50", "p90", "p99"), np.percentile(pooled, levels).tolist(), strict=True)
    )
    rounds = [[float(b.mean()), *np.percentile(b, levels).tolist()] for _, b in batches]
    source = "rounds" if len(batches) > 1 else WITHIN_ONE_PROCESS
    fields: dict[str, Any] = {}
    for place, (name, value) in enumerate(found.items()):
        series = _round_series((key, row[place]) for (key, _), row in zip(batches, rounds, strict=True))
        low, high = stats.around(value, stats.reach_of_mean(series.logs))
        fields[name] = Estimate(value, low, high, "s", source, len(batches))
        if len(series.keys) > 1:
            fields.setdefault("_series", {})[name] = series
    return fields


def _latency_from_loops(good: Good, cell: Cell) -> dict[str, Any]:
    """Return the mean batch latency where only loops were recorded and every batch is full."""
    loops = [
        (loop.elapsed_s, images)
        for _, record in good
        for loop in record.loops
        if (images := loop.images or record.images) and images % cell.batch_size == 0
    ]
    if not loops:
        return {}
    value = float(np.mean([seconds * cell.batch_size / images for seconds, images in loops]))
    return {"latency_batch": Estimate(value, None, None, "s", "loops", len(good))}


def primary_energy(record: Record) -> DeviceEnergy | None:
    """Return the energy of the device that did the work; None if nothing was metered."""
    energy = record.energy
    if energy is None or not energy.devices:
        return None
    return next((d for d in energy.devices if d.device_uid == energy.primary), energy.devices[0])


def _energy(good: Good) -> dict[str, Any]:
    metered = [(key, device) for key, record in good if (device := primary_energy(record))]
    resolved = [(k, d) for k, d in metered if d.energy_j is not None and d.energy_j > 0 and d.seconds > 0]
    if not resolved:
        return {"energy_reason": _energy_reason([record for _, record in good], [d for _, d in metered])}
    joules = sum(d.energy_j or 0.0 for _, d in resolved)
    seconds = sum(d.seconds for _, d in resolved)
    images = sum(d.images for _, d in resolved)
    meter = _meter_reach([d for _, d in resolved])
    source = ", ".join(dict.fromkeys(f"{d.meter} {d.source}" for _, d in resolved))
    power = _round_series((key, (d.energy_j or 0.0) / d.seconds) for key, d in resolved)
    idle = [d.idle_w for _, d in resolved if d.idle_w is not None]
    fields: dict[str, Any] = {
        "power": _metered(joules / seconds, "W", power, meter, source),
        "idle_w": float(np.mean(idle)) if idle else None,
        "_series": {"power": power},
    }
    if images and all(d.images for _, d in resolved):
        each = _round_series((key, (d.energy_j or 0.0) / d.images) for key, d in resolved)
        fields["energy_image"] = _metered(joules / images, "J", each, meter, source)
        fields["_series"]["energy_image"] = each
    return fields


def _metered(value: float, unit: str, series: Series, meter: float | None, source: str) -> Estimate:
    """Return an estimate whose interval is the wider of the rounds' spread and the meter's own."""
    reaches = [r for r in (stats.reach_of_mean(series.logs), meter) if r is not None]
    low, high = stats.around(value, max(reaches, default=None))
    return Estimate(value, low, high, unit, source, len(series.keys))


def _meter_reach(devices: Sequence[DeviceEnergy]) -> float | None:
    """Return the largest half width (log) that the meter itself claims."""
    reaches = [
        max(math.log(d.high_j / d.energy_j), math.log(d.energy_j / d.low_j))
        for d in devices
        if d.energy_j and d.low_j and d.high_j and d.low_j > 0 and d.high_j > 0
    ]
    return max(reaches, default=None)


def _energy_reason(records: Sequence[Record], metered: Sequence[DeviceEnergy]) -> str:
    for device in metered:
        return f"{device.source}: {device.reason}" if device.reason else device.source
    reasons = [r.energy.reason for r in records if r.energy and r.energy.reason]
    return reasons[0] if reasons else "not metered"


def _prepare(good: Good) -> dict[str, Any]:
    known = [record.prepare for _, record in good if record.prepare]
    if not known:
        return {}
    cold = [p for p in known if not p.cached] or known
    totals = [p.total_s for p in cold]
    mean = float(np.mean(totals))
    low, high = stats.around(mean, stats.reach_of_mean(np.log(totals)) if min(totals) > 0 else None)
    source = "rounds" if not cold[0].cached else "rounds with a warm compile cache"
    return {
        "prepare": PrepareEstimate(
            Estimate(mean, low, high, "s", source, len(cold)),
            float(np.mean([p.load_s for p in cold])),
            float(np.mean([p.compile_s for p in cold])),
            float(np.mean([p.first_run_s for p in cold])),
        )
    }


_MEMORY_SOURCES = (
    ("device_used_bytes", "device, by the driver"),
    ("device_peak_bytes", "device, by the framework"),
    ("rss_peak_bytes", "process (RSS)"),
)


def _memory(good: Good, cell: Cell) -> dict[str, Any]:
    for name, source in _MEMORY_SOURCES[2 if cell.device == "cpu" else 0 :]:
        values = [
            getattr(r.memory, name) for _, r in good if r.memory and getattr(r.memory, name) is not None
        ]
        if values:
            peak = Estimate(float(max(values)), None, None, "bytes", source, len(values))
            return {"memory": peak}
    return {}


def _parity(good: Good) -> dict[str, Any]:
    found = [record.parity for _, record in good if record.parity]
    if not found:
        return {}
    worst: Parity = min(found, key=lambda p: (p.passed, p.top1, -(p.max_rel or 0.0)))
    top1 = Estimate(worst.top1, None, None, "share", worst.reference or "reference", len(found))
    return {"parity": worst, "accuracy": top1}


_PUBLISHED = {  # key of records.Record.published: (field, unit)
    "throughput": ("throughput", "images/s"),
    "power": ("power", "W"),
    "energy": ("energy_image", "J"),
    "memory": ("memory", "bytes"),
    "latency": ("latency_image", "s"),
    "latency_batch": ("latency_batch", "s"),
    "p50": ("p50", "s"),
    "p90": ("p90", "s"),
    "p99": ("p99", "s"),
    "accuracy": ("accuracy", "share"),
}


def _published(good: Good, fields: dict[str, Any]) -> dict[str, Any]:
    """Return published means for what has no raw samples; a mean of means where several were published."""
    found: dict[str, Any] = {}
    for name, (target, unit) in _PUBLISHED.items():
        values = [r.published[name] for _, r in good if name in r.published]
        if values and fields.get(target) is None:
            found[target] = Estimate(float(np.mean(values)), None, None, unit, PUBLISHED, len(values))
    throughput, latency = found.get("throughput"), found.get("latency_image")
    if throughput and not latency:
        found["latency_image"] = throughput.inverse("s")
    if latency and not throughput and not fields.get("throughput"):
        found["throughput"] = latency.inverse("images/s")
    return found


def _efficiency(fields: dict[str, Any], series: dict[str, Series]) -> dict[str, Any]:
    """Return what follows from throughput, power and energy together."""
    throughput, power, energy = (fields.get(k) for k in ("throughput", "power", "energy_image"))
    derived: dict[str, Any] = {}
    if throughput and power:
        joined = _joined(series, (("throughput", 1), ("power", -1)))
        derived["images_per_watt"] = _ratio(throughput, power, "images/s/W", joined)
        if energy is None:
            energy = _ratio(power, throughput, "J", joined and joined.scaled(-1))
            derived["energy_image"] = energy
            if joined:
                series["energy_image"] = joined.scaled(-1)
    if energy:
        derived["images_per_joule"] = energy.inverse("images/J")
        if throughput:
            joined = _joined(series, (("energy_image", 1), ("throughput", -1)))
            derived["energy_time"] = _ratio(energy, throughput, "J s", joined)
    return derived


def _joined(series: dict[str, Series], terms: tuple[tuple[str, int], ...]) -> Series | None:
    parts = [series[name].scaled(sign) for name, sign in terms if name in series]
    if len(parts) != len(terms) or any(part.within for part in parts):
        return None
    joined = parts[0].plus(parts[1])
    return joined if len(joined.keys) > 1 else None


def _ratio(top: Estimate, bottom: Estimate, unit: str, joined: Series | None) -> Estimate:
    """Return top/bottom; its interval from the rounds' own ratios, or the sum in quadrature of the two intervals."""
    value = top.value / bottom.value
    reaches = [r for r in (_reach(top), _reach(bottom)) if r is not None]
    reach = stats.reach_of_mean(joined.logs) if joined else None
    if reach is not None:
        reach = max(reach, _reach_of_meter(top, bottom) or 0.0)
    elif len(reaches) == 2:
        reach = math.hypot(*reaches)
    low, high = stats.around(value, reach)
    source = bottom.source if top.source in ("rounds", WITHIN_ONE_PROCESS) else top.source
    return Estimate(value, low, high, unit, source, min(top.n, bottom.n))


def _reach(estimate: Estimate) -> float | None:
    if not estimate.high or estimate.value <= 0:
        return None
    return math.log(estimate.high / estimate.value)


def _reach_of_meter(*sides: Estimate) -> float | None:
    """Return the reach of the side that was metered: a ratio cannot be surer than its meter."""
    reaches = [_reach(side) for side in sides if side.unit in ("W", "J")]
    return max((r for r in reaches if r is not None), default=None)


def _phases(good: Good) -> dict[str, float]:
    names = dict.fromkeys(name for _, record in good for name in record.phases)
    return {name: float(np.mean([r.phases[name] for _, r in good if name in r.phases])) for name in names}
