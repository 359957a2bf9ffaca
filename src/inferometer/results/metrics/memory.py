"""What a cell holds of its device's memory."""

from __future__ import annotations

from inferometer.results.cells import CellSummary
from inferometer.results.metrics.metric import Column, Metric, Place, Reason, Words, not_known, product_of
from inferometer.results.metrics.quantities import BYTES, GIBIBYTES


def _why_no_memory(summary: CellSummary) -> Reason:
    if summary.cell.device == "cpu":
        return not_known(summary)
    return "not told", "neither the driver nor the framework tells the device's memory"


MEMORY = Metric(
    "memory",
    "Peak memory",
    "memory",
    BYTES,
    higher_is_better=False,
    of=lambda s: s.memory,
    series=product_of(("memory", 1)),
    why_none=_why_no_memory,
    by_source=True,
    words=Words("less memory", "more memory"),
    figure=GIBIBYTES,
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK, Place.ACROSS}),
    columns=(
        Column("memory", lambda s: BYTES.show(s.memory.value) if s.memory else "", drop_order=6, place=6),
    ),
)
METRICS = (MEMORY,)
