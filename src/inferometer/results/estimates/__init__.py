"""From the records of one pooled cell to estimates with intervals (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from inferometer.records import Cell
from inferometer.results.estimates import efficiency, energy, published, speed, untimed
from inferometer.results.estimates.batches import full_batches
from inferometer.results.estimates.energy import NOT_METERED
from inferometer.results.estimates.quantity import (
    PUBLISHED,
    WITHIN_ONE_PROCESS,
    Estimate,
    Good,
    Key,
    PrepareEstimate,
    Repeated,
    Series,
    product,
    round_series,
)
from inferometer.results.estimates.together import Steps, together

__all__ = [
    "NOT_METERED",
    "PUBLISHED",
    "WITHIN_ONE_PROCESS",
    "Estimate",
    "Good",
    "Key",
    "PrepareEstimate",
    "Repeated",
    "Series",
    "estimate",
    "estimate_all",
    "full_batches",
    "product",
    "round_series",
]


def estimate(good: Good, cell: Cell) -> dict[str, Any]:
    """Return the fields of a `CellSummary` that the rounds that ended well can fill."""
    return estimate_all([(good, cell)])[0]


def estimate_all(cells: Iterable[tuple[Good, Cell]]) -> list[dict[str, Any]]:
    """Return `estimate` of each of some cells; of several at once, each takes less."""
    return together(_estimate(good, cell) for good, cell in cells)


def _estimate(good: Good, cell: Cell) -> Steps[dict[str, Any]]:
    batches = [speed.batches_of(record, cell) for _, record in good]
    fields: dict[str, Any] = {
        "rounds": len({key for key, record in good if record.loops}),
        "loops": sum([len(record.loops) for _, record in good]),
        "batches": sum(batches),
        "shortest_loop_s": min([loop.elapsed_s for _, record in good for loop in record.loops], default=None),
    }
    if not good:
        return fields
    series: dict[str, Series] = {}
    parts = (
        speed.throughput(good),
        speed.latency(good, cell, batches),
        energy.energy(good),
        untimed.prepare(good),
        untimed.memory(good, cell),
    )
    for part in parts:
        found = yield from part
        series |= found.pop("_series", {})
        fields |= found
    fields |= untimed.parity(good)
    fields |= published.means(good, fields, series)
    fields |= yield from efficiency.derived(fields, series)
    fields["series"] = series
    fields["actual"] = next((r.actual for _, r in reversed(good) if r.actual), None)
    fields["phases"] = untimed.phases(good)
    return fields
