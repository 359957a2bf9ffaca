"""Throughput and latency of the timed loops."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from inferometer.flags import Flag, flag
from inferometer.quantiles import CONFIDENCE, SURE_TO_ONE_SIDE, t_quantile
from inferometer.records import Cell, Record
from inferometer.results import samples
from inferometer.results.estimates.batches import LEVELS, Batches, Pooled, seconds_of_full_batches
from inferometer.results.estimates.quantity import Estimate, Good, Key, Repeated, round_series, series_of
from inferometer.results.estimates.together import Steps
from inferometer.results.stats import Floats

_NAMES = ("latency_batch", *(f"p{level}" for level in LEVELS))


def throughput(good: Good) -> Steps[dict[str, Any]]:
    """Find images/s, its inverse, and the study's mean of loop rates; the series under `_series`.

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
    series = {
        "throughput": series_of(keys, [sum(i) / sum(s) for i, s in rounds]),
        "throughput_study": series_of(keys, [sum(map(operator.truediv, i, s)) / len(s) for i, s in rounds]),
    }
    total, study = found = [Repeated(one) for one in series.values()]
    yield found
    alone = min(one.repeats for one in series.values()) < 2
    within = _reach_of_loops(_loops(timed[0][1])) if alone else None
    estimate = total.estimate("images/s", "rounds", within=within)
    return {
        "throughput": estimate,
        "throughput_study": study.estimate("images/s", "rounds", within=within),
        "latency_image": estimate.inverse("s"),
        "_series": series,
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


def batches_of(record: Record, cell: Cell) -> int:
    """Return how many batches a record's loops had, the last of each included that may not be full."""
    return sum([-(-(loop.images or record.images) // cell.batch_size) for loop in record.loops])


def latency(good: Good, cell: Cell, counts: Sequence[int]) -> Steps[dict[str, Any]]:
    """Find mean and quantiles [s] of full batches; the mean alone where only loops were recorded. ``counts``: `batches_of` each."""
    found = zip(good, counts, strict=True)
    timed = [(key, n, Batches(b)) for (key, record), n in found if (b := seconds_of_full_batches(record))]
    if not timed:
        return (yield from _latency_from_loops(good, cell))
    rounds = [batches for _, _, batches in timed]
    pooled = Pooled([second for batches in rounds for second in batches.seconds])
    yield [pooled]
    fields: dict[str, Any] = {"full_batches": len(pooled.ordered)}
    if not np.isfinite(pooled.ordered[[0, -1]]).all():
        return fields
    if len(pooled.ordered) > 1:
        fields["batch_quantiles_s"] = tuple(pooled.quantiles)
    yield rounds
    keys, worths = tuple([key for key, _, _ in timed]), [batches.worth for batches in rounds]
    columns = zip(*[batches.measures for batches in rounds], strict=True)
    series = {name: series_of(keys, values) for name, values in zip(_NAMES, columns, strict=True)}
    if not all(one.keys for one in series.values()):
        return fields
    known = {name: Repeated(one) for name, one in series.items()}
    yield list(known.values())
    fields |= {name: one.estimate("s", "rounds") for name, one in known.items()}
    fields |= {
        "_series": series,
        "longest_batch_s": float(pooled.ordered[-1]),
        "batches_worth": sum(map(min, worths, [count for _, count, _ in timed])),
    }
    worth = sum(worths)
    for level in LEVELS[1:]:
        name = f"p{level}"
        fields[name] = _bounded(fields[name], known[name], pooled.ordered, worth, level)
    return fields


def _bounded(estimate: Estimate, rounds: Repeated, ordered: Floats, worth: float, level: int) -> Estimate:
    """Return a percentile with what it does not exceed at 95 % confidence, and with a remark if it rests on too few batches.

    The larger of two bounds: by the order of all batches, ``worth`` so many independent ones, and by how the rounds' percentiles
    scatter. Infinity where the batches are too few for any.
    """
    place = samples.place_of_bound(len(ordered), level / 100, worth)
    reach = rounds.reach(SURE_TO_ONE_SIDE)
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


def _latency_from_loops(good: Good, cell: Cell) -> Steps[dict[str, Any]]:
    """Find the mean batch latency where only loops were recorded and every batch is full."""
    means: list[tuple[Key, float]] = []
    for key, record in good:
        whole = [(s, i) for s, i in _loops(record) if i > 0 and i % cell.batch_size == 0]
        if whole:
            means.append((key, sum(s for s, _ in whole) * cell.batch_size / sum(i for _, i in whole)))
    series = round_series(means)
    if not series.keys:
        return {}
    rounds = Repeated(series)
    yield [rounds]
    estimate = rounds.estimate("s", "loops")
    return {"latency_batch": estimate, "_series": {"latency_batch": series}}
