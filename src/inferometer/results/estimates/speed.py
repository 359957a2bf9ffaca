"""Throughput and latency of the timed loops."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from inferometer.flags import Flag, flag
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.records import Cell, Record
from inferometer.results import samples, stats
from inferometer.results.estimates.quantity import Estimate, Good, Key, Series, round_series, series_of
from inferometer.results.stats import Floats

_LEVELS = (50, 90, 99)
_NAMES = ("latency_batch", *(f"p{level}" for level in _LEVELS))
_SURE_TO_ONE_SIDE = 2 * CONFIDENCE - 1  # two-sided, for a bound that holds with `CONFIDENCE`


def throughput(good: Good) -> dict[str, Any]:
    """Return images/s, its inverse, and the study's mean of loop rates; the series under `_series`.

    A round's throughput is all its images over all its time: what a user gets who waits for it. The mean of loop rates, as
    in the study, lets the fastest loop decide where loops differ.
    """
    timed = [(key, record) for key, record in good if record.loops]
    seconds = [[loop.elapsed_s for loop in record.loops] for _, record in timed]
    images = [[loop.images or record.images for loop in record.loops] for _, record in timed]
    if not timed or not all(0 < s < math.inf for row in seconds for s in row) or min(map(min, images)) <= 0:
        return {}
    keys = tuple([key for key, _ in timed])
    rounds = list(zip(images, seconds, strict=True))
    total = series_of(keys, [sum(i) / sum(s) for i, s in rounds])
    study = series_of(keys, [sum(map(operator.truediv, i, s)) / len(s) for i, s in rounds])
    alone = min(total.repeats, study.repeats) < 2
    within = _reach_of_loops(_loops(timed[0][1])) if alone else None
    estimate = total.estimate("images/s", "rounds", within=within)
    return {
        "throughput": estimate,
        "throughput_study": study.estimate("images/s", "rounds", within=within),
        "latency_image": estimate.inverse("s"),
        "_series": {"throughput": total, "throughput_study": study},
    }


def _loops(record: Record) -> list[tuple[float, int]]:
    """Return every loop's seconds and images."""
    return [(loop.elapsed_s, loop.images or record.images) for loop in record.loops]


def _reach_of_loops(loops: Sequence[tuple[float, int]]) -> float | None:
    """Return the half width (log) of a total rate by its loops; None for fewer than two.

    The ratio estimator's (Cochran, Sampling Techniques, 1977, section 6.4), with the loops' effective number.
    """
    if len(loops) < 2:
        return None
    seconds, images = np.array(loops, dtype=np.float64).T
    residuals = seconds - images * seconds.sum() / images.sum()
    count = max(2.0, samples.effective_count(residuals))
    error = math.sqrt(float(residuals @ residuals) / (len(seconds) - 1) / count) / float(seconds.mean())
    return t_quantile(CONFIDENCE, len(loops) - 1) * error


def full_batches(record: Record) -> Floats:
    """Return the latencies (s) of the record's full batches; a last partial batch of a loop is left out."""
    return np.array(_full_batches(record), dtype=np.float64)


def _full_batches(record: Record) -> list[float]:
    size = record.cell.batch_size
    found: list[float] = []
    for loop in record.loops:
        partial = (loop.images or record.images) % size != 0 and len(loop.batch_s) > 1
        found += loop.batch_s[:-1] if partial else loop.batch_s
    return found


def batches_of(record: Record, cell: Cell) -> int:
    """Return how many batches a record's loops had, the last of each included that may not be full."""
    return sum([-(-(loop.images or record.images) // cell.batch_size) for loop in record.loops])


def latency(good: Good, cell: Cell) -> dict[str, Any]:
    """Return mean and quantiles [s] of full batches; the mean alone where only loops were recorded."""
    timed = [(key, record, b) for key, record in good if (b := _full_batches(record))]
    if not timed:
        return _latency_from_loops(good, cell)
    parts = [b for _, _, b in timed]
    pooled = np.sort(np.array(list(itertools.chain.from_iterable(parts)), dtype=np.float64))
    fields: dict[str, Any] = {"full_batches": len(pooled)}
    if not np.isfinite(pooled).all():
        return fields
    if len(pooled) > 1:
        found = samples.percentiles(pooled[None, :], samples.QUANTILES)
        fields["batch_quantiles_s"] = tuple([float(level[0]) for level in found])
    keys, (measures, worths) = tuple([key for key, _, _ in timed]), _measures(parts)
    counts = [batches_of(record, cell) for _, record, _ in timed]
    series = {name: series_of(keys, values) for name, values in zip(_NAMES, measures, strict=True)}
    if not all(one.keys for one in series.values()):
        return fields
    fields |= {name: one.estimate("s", "rounds") for name, one in series.items()}
    fields |= {
        "_series": series,
        "longest_batch_s": float(pooled[-1]),
        "batches_worth": sum(map(min, worths, counts)),
    }
    worth = sum(worths)
    for level in _LEVELS[1:]:
        name = f"p{level}"
        fields[name] = _bounded(fields[name], series[name], pooled, worth, level)
    return fields


def _measures(parts: Sequence[Sequence[float]]) -> tuple[list[list[float]], list[float]]:
    """Return the mean and the percentiles of each round's batches, and how many independent ones they are worth.

    Those of rounds with as many batches at once.
    """
    alike: dict[int, list[int]] = {}
    for place, part in enumerate(parts):
        alike.setdefault(len(part), []).append(place)
    found = [[0.0] * len(parts) for _ in _NAMES]
    worths = [0.0] * len(parts)
    for count, places in alike.items():
        block = np.array([parts[place] for place in places])
        means, levels = np.add.reduce(block, axis=1) / count, samples.percentiles(block, _LEVELS)
        columns = (means.tolist(), *(level.tolist() for level in levels))
        for known, column in zip((*found, worths), (*columns, samples.effective_counts(block)), strict=True):
            if len(places) == len(parts):
                known[:] = column
            else:
                for place, value in zip(places, column, strict=True):
                    known[place] = value
    return found, worths


def _bounded(estimate: Estimate, series: Series, ordered: Floats, worth: float, level: int) -> Estimate:
    """Return a percentile with what it does not exceed at 95 % confidence, and with a remark if it rests on too few batches.

    The larger of two bounds: by the order of all batches, ``worth`` so many independent ones, and by how the rounds' percentiles
    scatter. Infinity where the batches are too few for any.
    """
    place = samples.place_of_bound(len(ordered), level / 100, worth)
    reach = stats.reach_of_mean(series.units, _SURE_TO_ONE_SIDE)
    between = estimate.value * math.exp(min(reach or 0.0, 700.0))
    upper = math.inf if place is None else max(float(ordered[place]), between)
    return replace(estimate, upper=upper, remark=_too_few(len(ordered), worth, level))


def _too_few(count: int, worth: float, level: int) -> Flag | None:
    """Return that a percentile rests on too few batches, if it does: those alike in a row count less."""
    needed = samples.enough_for(level / 100)
    if worth >= needed:
        return None
    if worth < 0.9 * count:
        return flag("alike-batches", level=level, batches=count, worth=round(worth), needed=needed)
    return flag("few-batches", level=level, batches=count, needed=needed)


def _latency_from_loops(good: Good, cell: Cell) -> dict[str, Any]:
    """Return the mean batch latency where only loops were recorded and every batch is full."""
    means: list[tuple[Key, float]] = []
    for key, record in good:
        whole = [(s, i) for s, i in _loops(record) if i > 0 and i % cell.batch_size == 0]
        if whole:
            means.append((key, sum(s for s, _ in whole) * cell.batch_size / sum(i for _, i in whole)))
    series = round_series(means)
    if not series.keys:
        return {}
    estimate = series.estimate("s", "loops")
    return {"latency_batch": estimate, "_series": {"latency_batch": series}}
