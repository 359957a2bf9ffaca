"""What comes before the first image: loading, compiling, a first run."""

from __future__ import annotations

from inferometer.results.metrics.metric import Column, Metric, Place, Words, product_of
from inferometer.results.metrics.quantities import SECONDS

METRICS = (
    Metric(
        "prepare_time",
        "Time to ready",
        "preparation",
        SECONDS,
        higher_is_better=False,
        of=lambda s: s.prepare.total if s.prepare else None,
        series=product_of(("prepare", 1)),
        words=Words("ready sooner", "ready later"),
        shown_in=frozenset({Place.PAGE, Place.WORKBOOK, Place.ACROSS}),
        columns=(
            Column(
                "prepare",
                lambda s: SECONDS.show(s.prepare.total.value) if s.prepare else "",
                drop_order=4,
                place=5,
            ),
        ),
    ),
)
