"""The metrics that a table, figure or verdict can show: a file a family, an entry a metric.

A new metric is one `Metric` in the `METRICS` of its family's file: `table`, `compare`, every export and each `Place` that
it names then have it.
"""

from __future__ import annotations

from inferometer.results.metrics import accuracy, energy, latency, memory, phases, preparation, speed
from inferometer.results.metrics.accuracy import ACCURACY, AGREEMENT, LOSS
from inferometer.results.metrics.energy import ENERGY, POWER
from inferometer.results.metrics.latency import P99
from inferometer.results.metrics.memory import MEMORY
from inferometer.results.metrics.metric import Column, Family, Metric, Place, Words, no_series
from inferometer.results.metrics.phases import PHASES, why_no_phase
from inferometer.results.metrics.quantities import Scale
from inferometer.results.metrics.speed import THROUGHPUT

__all__ = [
    "ACCURACY",
    "AGREEMENT",
    "ENERGY",
    "FORMER_NAMES",
    "LOSS",
    "MEMORY",
    "METRICS",
    "P99",
    "PHASES",
    "POWER",
    "THROUGHPUT",
    "Column",
    "Family",
    "Metric",
    "Place",
    "Scale",
    "Words",
    "metrics_in",
    "no_series",
    "why_no_phase",
]

FORMER_NAMES = {"throughput_total": "throughput"}  # what is the headline now
_FAMILIES = (speed, latency, energy, memory, preparation, accuracy, phases)  # as tables and exports have them
METRICS: dict[str, Metric] = {metric.name: metric for family in _FAMILIES for metric in family.METRICS}


def metrics_in(place: Place) -> tuple[Metric, ...]:
    """Return the metrics that a place shows, in its order."""
    return tuple(metric for metric in METRICS.values() if place in metric.shown_in)
