"""Where a batch's time goes. Less of a phase is no merit, since each framework draws the line between phases elsewhere."""

from __future__ import annotations

from inferometer.results.cells import CellSummary
from inferometer.results.metrics.metric import Metric, Reason, Words
from inferometer.results.metrics.quantities import MILLISECONDS, SECONDS


def why_no_phase(summary: CellSummary) -> str:
    """Return why a cell that ended well lacks a phase."""
    if summary.cell.mode == "host-pipelined":
        return "the phases of batches in a pipeline overlap"
    if summary.phases:
        return "nothing is copied in device mode"
    return "no phases were sampled: the framework's call does not tell them apart, or a batch took too long"


def _not_sampled(summary: CellSummary) -> Reason:
    return "not sampled", why_no_phase(summary)


def _phase(name: str, title: str) -> Metric:
    return Metric(
        name,
        title,
        "phase",
        SECONDS,
        higher_is_better=False,
        of=lambda s: s.phases.get(name),
        why_none=_not_sampled,
        figure=MILLISECONDS,
        competes=False,
        words=Words("shorter", "longer"),
    )


METRICS = (
    _phase("copy_in", "Copy in per batch"),
    _phase("enqueue", "Enqueue per batch, part of compute"),
    _phase("compute", "Compute per batch"),
    _phase("copy_out", "Copy out per batch"),
)
PHASES = tuple(metric.name for metric in METRICS)  # keys of `CellSummary.phases`
