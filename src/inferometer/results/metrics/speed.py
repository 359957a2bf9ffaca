"""How fast a cell is: images in a second."""

from __future__ import annotations

from inferometer.results.cells import CellSummary
from inferometer.results.metrics.metric import Column, Metric, Place, Words, number, product_of
from inferometer.results.metrics.quantities import IMAGES_PER_SECOND

_WORDS = Words("faster", "slower")


def _half_width(summary: CellSummary) -> str:
    share = summary.throughput.half_width if summary.throughput else None
    return "" if share is None else f"{100 * share:.1f} %"


THROUGHPUT = Metric(
    "throughput",
    "Throughput",
    "speed",
    IMAGES_PER_SECOND,
    higher_is_better=True,
    of=lambda s: s.throughput,
    series=product_of(("throughput", 1)),
    words=_WORDS,
    shown_in=frozenset(Place),
    by_batch="Where a line flattens, a larger batch stops paying. Bars are 95 % intervals.",
    columns=(
        Column("images/s", lambda s: number(s.throughput), place=1),
        Column("±95 %", _half_width, place=2),
    ),
)
METRICS = (
    THROUGHPUT,
    Metric(
        "throughput_total",
        "Throughput, images over total time",
        "speed",
        IMAGES_PER_SECOND,
        higher_is_better=True,
        of=lambda s: s.throughput_total,
        series=product_of(("throughput", 1)),
        words=_WORDS,
    ),
)
