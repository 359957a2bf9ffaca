"""Whether a cell's answers are right."""

from __future__ import annotations

from inferometer.results.metrics.metric import Metric, Place, Words
from inferometer.results.metrics.quantities import SHARE

AGREEMENT = Metric(
    "accuracy",
    "Top-1 agreement with the reference",
    "accuracy",
    SHARE,
    higher_is_better=True,
    of=lambda s: s.accuracy,
    exact=True,
    words=Words("higher agreement", "lower agreement"),
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),
)
METRICS = (AGREEMENT,)
