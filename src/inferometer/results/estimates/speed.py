"""Throughput and latency of the timed loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.flags import Flag, flag
from inferometer.records import Cell, Record
from inferometer.results import stats
from inferometer.results.estimates.quantity import (
    WITHIN_ONE_PROCESS,
    Estimate,
    Good,
    Key,
    Series,
    round_series,
)
from inferometer.results.stats import Floats


def throughput(good: Good) -> dict[str, Any]:
    """Return images/s as mean over loops and as images over total time, and its inverse; the series under `_series`."""
    timed = [(key, record, _loop_rates(record)) for key, record in good if record.loops]
    if not timed:
        return {}
    rates = np.concatenate([r for _, _, r in timed])
    if not np.all(np.isfinite(rates)) or not np.all(rates > 0):
        return {}
    series = round_series((key, float(r.mean())) for key, _, r in timed)
    series, source = _or_loops(series, rates, timed[0][0])
    value = float(rates.mean())
    low, high = stats.around(value, stats.reach_of_mean(series.logs))
    count = len(timed)
    mean = Estimate(value, low, high, "images/s", source, count)
    seconds = sum(loop.elapsed_s for _, record, _ in timed for loop in record.loops)
    images = sum((loop.images or record.images) for _, record, _ in timed for loop in record.loops)
    total = images / seconds
    low, high = stats.around(total, stats.reach_of_mean(series.logs))
    return {
        "throughput": mean,
        "throughput_total": Estimate(total, low, high, "images/s", source, count),
        "latency_image": mean.inverse("s"),
        "_series": {"throughput": series},
    }


def _loop_rates(record: Record) -> Floats:
    """Return images/s of every loop."""
    seconds = np.array([loop.elapsed_s for loop in record.loops])
    images = np.array([loop.images or record.images for loop in record.loops], dtype=float)
    with np.errstate(divide="ignore"):
        return np.asarray(images / seconds)


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


def latency(good: Good, cell: Cell) -> dict[str, Any]:
    """Return mean and quantiles [s] of full batches; the mean alone where only loops were recorded."""
    batches = [(key, b) for key, record in good if len(b := full_batches(record))]
    if not batches:
        return _latency_from_loops(good, cell)
    pooled = np.concatenate([b for _, b in batches])
    if not np.all(np.isfinite(pooled)):
        return {}
    levels = [50, 90, 99]
    remarks = {f"p{level}": _too_few(len(pooled), level) for level in levels}
    found = {"latency_batch": float(pooled.mean())} | dict(
        zip(("p50", "p90", "p99"), np.percentile(pooled, levels).tolist(), strict=True)
    )
    rounds = [[float(b.mean()), *np.percentile(b, levels).tolist()] for _, b in batches]
    source = "rounds" if len(batches) > 1 else WITHIN_ONE_PROCESS
    fields: dict[str, Any] = {}
    for place, (name, value) in enumerate(found.items()):
        series = round_series((key, row[place]) for (key, _), row in zip(batches, rounds, strict=True))
        low, high = stats.around(value, stats.reach_of_mean(series.logs))
        fields[name] = Estimate(value, low, high, "s", source, len(batches), remarks.get(name))
        fields.setdefault("_series", {})[name] = series
    return fields


def _too_few(count: int, level: int) -> Flag | None:
    """Return that a percentile above the median rests on too few batches, if it does."""
    needed = stats.enough_for(level / 100)
    if level <= 50 or count >= needed:
        return None
    return flag("few-batches", level=level, batches=count, needed=needed)


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
