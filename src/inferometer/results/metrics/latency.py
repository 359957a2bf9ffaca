"""How long a cell takes: for an image, for a batch, and for nearly every batch."""

from __future__ import annotations

from collections.abc import Callable

from inferometer.results.cells import CellSummary
from inferometer.results.estimates import PUBLISHED, Estimate
from inferometer.results.metrics.metric import Column, Metric, Place, Reason, Words, number, product_of
from inferometer.results.metrics.quantities import MILLISECONDS, SECONDS

_WORDS = Words("faster", "slower")


def _not_timed(summary: CellSummary) -> Reason:
    if summary.throughput and summary.throughput.source == PUBLISHED:
        return "not told", "what was imported does not tell it"
    if summary.cell.mode != "host":
        return "not timed", f"batches are not timed one by one in {summary.cell.mode} mode"
    return "not timed", "no full batch was timed by itself"


def _of_batch(
    name: str,
    title: str,
    of: Callable[[CellSummary], Estimate | None],
    *places: Place,
    columns: tuple[Column, ...] = (),
) -> Metric:
    return Metric(
        name,
        title,
        "latency",
        SECONDS,
        higher_is_better=False,
        of=of,
        series=product_of((name, 1)),
        why_none=_not_timed,
        words=_WORDS,
        figure=MILLISECONDS,
        shown_in=frozenset(places),
        columns=columns,
    )


def _milliseconds(estimate: Estimate | None) -> str:
    """Return the number, with a sign before one that its own remark calls doubtful."""
    doubtful = "~" if estimate and estimate.remark else ""
    return doubtful + number(estimate, 1e3)


P99 = _of_batch(
    "p99",
    "Latency per batch, 99th percentile",
    lambda s: s.p99,
    Place.PAGE,
    Place.WORKBOOK,
    columns=(Column("p99 ms", lambda s: _milliseconds(s.p99), drop_order=3, place=4),),
)
METRICS = (
    Metric(
        "latency",
        "Latency per image",
        "latency",
        SECONDS,
        higher_is_better=False,
        of=lambda s: s.latency_image,
        series=product_of(("throughput", -1)),
        words=_WORDS,
        figure=MILLISECONDS,
        shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),  # a figure of it would mirror throughput's
    ),
    _of_batch("latency_batch", "Latency per batch", lambda s: s.latency_batch),
    _of_batch(
        "p50",
        "Latency per batch, median",
        lambda s: s.p50,
        Place.PAGE,
        columns=(Column("p50 ms", lambda s: _milliseconds(s.p50), drop_order=2, place=3),),
    ),
    _of_batch("p90", "Latency per batch, 90th percentile", lambda s: s.p90),
    P99,
)
