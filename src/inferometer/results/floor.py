"""The smallest difference that counts as one, whatever the rounds say: below it two figures are a tie (pure)."""

from __future__ import annotations

import math

from inferometer.results.cells import CellSummary
from inferometer.results.metrics import Metric

# What no number of rounds averages out, such as where the program happens to lie in memory (Mytkowicz et al., Producing Wrong
# Data Without Doing Anything Obviously Wrong!, ASPLOS 2009, see effects far above it), and what nobody deploys by.
NOISE_FLOOR = 0.001
CLOCK_S = 1e-7  # that a pair of stamps of CLOCK_MONOTONIC may be off, its own call included


def floor_of(metric: Metric, *cells: CellSummary) -> float:
    """Return the relative difference of two cells below which they are equal; 0 for a metric without noise."""
    if metric.exact:
        return 0.0
    spans = [span for cell in cells if (span := _shortest_span_s(metric, cell))]
    return max(NOISE_FLOOR, CLOCK_S / min(spans, default=math.inf))


def under_floor(ratio: float, floor: float) -> bool:
    """Return whether a ratio of two figures is no difference at all."""
    return ratio == 1.0 or (ratio > 0 and abs(math.log(ratio)) < math.log1p(floor))


def _shortest_span_s(metric: Metric, cell: CellSummary) -> float | None:
    """Return the seconds between the stamps that a figure is made of; None where no clock is behind it."""
    if metric.unit not in ("s", "images/s") or (estimate := metric.of(cell)) is None:
        return None
    if metric.unit == "s" and metric.name != "latency":  # which is of a whole loop, divided by its images
        return estimate.value
    return cell.shortest_loop_s
