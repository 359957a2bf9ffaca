"""Whether a cell's answers are right."""

from __future__ import annotations

from inferometer.results.cells import CellSummary
from inferometer.results.metrics.metric import Metric, Place, Reason, Words
from inferometer.results.metrics.quantities import SHARE


def _why_none(summary: CellSummary) -> Reason:
    told = next((r.parity.agreement for r in summary.records if r.parity and r.parity.agreement), "")
    return ("does not apply", told) if told else ("not known", "")


AGREEMENT = Metric(
    "accuracy",
    "Top-1 agreement with the reference",
    "accuracy",
    SHARE,
    higher_is_better=True,
    of=lambda s: s.accuracy,
    exact=True,
    why_none=_why_none,
    words=Words("higher agreement", "lower agreement"),
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),
)
METRICS = (AGREEMENT,)
