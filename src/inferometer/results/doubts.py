"""What the repeated measurements of one cell show of themselves: loops that were held up, rounds of two kinds (pure)."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np

from inferometer.flags import Flag, flag
from inferometer.records import Record
from inferometer.results.estimates import Good, Series, full_batches
from inferometer.results.stats import Floats

_LOOP = (5.0, 0.1)  # so many times the median, and so many seconds more: no noise of a loop's own
_LONG_LOOP = (
    1.5,
    2.0,
)  # the same for long loops, where the excess is far outside of what the others scatter, too
_OUTSIDE = 10.0  # standard deviations of the other loops
_BATCH = (20.0, 0.5)
_FEWEST_LOOPS = 4  # of which one is told from the others by their scatter
FEWEST_ROUNDS = 5  # of which any two kinds can be seen
_GAP = 0.02  # between two kinds, as a share
_GAP_RATIO = (
    5.0  # and in standard deviations within them; more for few rounds, so that few normal samples show one
)


def of(good: Good, rates: Series | None) -> tuple[Flag, ...]:
    """Return what a reader must know of a cell's rounds: ``rates``, the logarithms of their throughputs."""
    return (*held_up([record for _, record in good]), *two_kinds(rates.logs if rates else ()))


def held_up(records: Sequence[Record]) -> list[Flag]:
    """Return that loops took far longer than the others, as when the process was stopped or the machine swapped."""
    found = [(count, over) for record in records for count, over in [_held_up(record)] if count]
    if not found:
        return []
    loops = sum(len(record.loops) for record in records)
    held, lost_s = sum(count for count, _ in found), sum(over for _, over in found)
    return [flag("loops-held-up", held=held, loops=loops, lost_s=lost_s)]


def _held_up(record: Record) -> tuple[int, float]:
    """Return how many of a record's loops were held up, and by how many seconds."""
    times = [loop.elapsed_s for loop in record.loops]
    if max(times, default=0.0) < _LOOP[1]:
        return 0, 0.0
    seconds, images = np.array(times), np.array([loop.images or record.images or 1 for loop in record.loops])
    over = _excess(seconds / images, _LOOP[0]) * images
    late = over > _LOOP[1]
    if not late.any() and len(times) >= _FEWEST_LOOPS:
        over = _excess(seconds / images, _LONG_LOOP[0]) * images
        late = (over > _LONG_LOOP[1]) & (over > _OUTSIDE * _scatter(seconds / images) * images)
    if not late.any() and max(times) > _BATCH[1]:  # one batch within a long loop
        usual = full_batches(record)
        limit = max(_BATCH[0] * float(np.median(usual)), _BATCH[1]) if len(usual) > 2 else np.inf
        over = np.array([sum(b for b in loop.batch_s if b > limit) for loop in record.loops])
        late = over > 0
    return int(late.sum()), float(over[late].sum())


def _excess(values: Floats, times: float) -> Floats:
    """Return by how much values exceed the lower median, those more than so many ``times`` it; 0 for the others."""
    usual = np.sort(values)[(len(values) - 1) // 2]
    return np.where(values > times * usual, values - usual, 0.0)


def _scatter(values: Floats) -> float:
    """Return the standard deviation of the faster half about the lower median, which no held-up loop widens."""
    usual = np.sort(values)[(len(values) - 1) // 2]
    return float(np.sqrt(np.mean((values[values <= usual] - usual) ** 2)))


def two_kinds(logs: Sequence[float]) -> list[Flag]:
    """Return that rounds fall into two kinds, fast and slow, if they do: then a few of them do not tell how often each comes."""
    if len(logs) < FEWEST_ROUNDS:
        return []
    values = sorted(logs)
    gaps = list(map(operator.sub, values[1:], values))
    widest = max(gaps)
    place = gaps.index(widest) + 1
    slow, fast = values[:place], values[place:]
    low, high = sum(slow) / len(slow), sum(fast) / len(fast)
    square = sum([(x - low) ** 2 for x in slow]) + sum([(x - high) ** 2 for x in fast])
    within, gap = math.sqrt(square / (len(values) - 2)), high - low
    if gap < _GAP or widest < _GAP_RATIO * (1 + 20 / len(values) ** 2) * max(within, 1e-6):
        return []
    slower, wanted = -math.expm1(-gap), max(20, 2 * len(values))
    return [flag("two-kinds-of-rounds", slow=place, rounds=len(values), slower=slower, wanted=wanted)]
