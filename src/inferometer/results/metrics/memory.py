"""What a cell holds of its device's memory."""

from __future__ import annotations

from inferometer.results.metrics.metric import Column, Metric, Place, Words, product_of
from inferometer.results.metrics.quantities import BYTES, GIBIBYTES

MEMORY = Metric(
    "memory",
    "Peak memory",
    "memory",
    BYTES,
    higher_is_better=False,
    of=lambda s: s.memory,
    series=product_of(("memory", 1)),
    words=Words("less memory", "more memory"),
    figure=GIBIBYTES,
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK, Place.ACROSS}),
    columns=(
        Column("memory", lambda s: BYTES.show(s.memory.value) if s.memory else "", drop_order=6, place=6),
    ),
)
METRICS = (MEMORY,)
