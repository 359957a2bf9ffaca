"""Whether a cell's answers are right: on the user's own data, and beside the reference."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate
from inferometer.results.metrics.metric import Column, Metric, Place, Reason, Words
from inferometer.results.metrics.quantities import NUMBER, SHARE


def _why_no_agreement(summary: CellSummary) -> Reason:
    told = next((r.parity.agreement for r in summary.records if r.parity and r.parity.agreement), "")
    return ("does not apply", told) if told else ("not known", "")


def _why_not_evaluated(summary: CellSummary) -> Reason:
    found = summary.evaluated
    if found is not None:
        lost = found.evaluation.not_finite
        told = (
            f"{lost} of {found.evaluation.rows} rows are not finite"
            if lost
            else "the data have other answers"
        )
        return "does not apply", told
    return ("not evaluated", summary.not_evaluated or "no data set: --dataset")


def _why_no_loss(summary: CellSummary) -> Reason:
    found = summary.evaluated
    if found is not None and found.top1 is not None:
        return "no fp32", "no fp32 row was evaluated beside it"
    return _why_not_evaluated(summary)


def _evaluated(figure: str) -> Callable[[CellSummary], Estimate | None]:
    """Return what reads a figure of a cell's evaluation, None where it has none."""
    return lambda summary: getattr(summary.evaluated, figure) if summary.evaluated else None


def _percent(estimate: Estimate | None) -> str:
    return f"{100 * estimate.value:.1f} %" if estimate else ""


def _loss_column(summary: CellSummary) -> str:
    """Return the interval: a point alone would read as known."""
    found = summary.evaluated
    loss = found.loss if found and not found.is_reference else None
    return (
        f"{100 * loss.low:.1f}..{100 * loss.high:.1f} %"
        if loss and loss.low is not None and loss.high is not None
        else ""
    )


def _number_column(summary: CellSummary) -> str:
    found = summary.evaluated
    return f"{found.squared_error.value:.3g}" if found and found.squared_error else ""


_ON_DATA_SET = partial(
    Metric,
    family="accuracy",
    competes=False,
    asked_for=True,
    shows_ends=True,
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK, Place.MARKDOWN}),
)
_MORE_ACCURATE = Words("more accurate", "less accurate")
_HIGHER_AGREEMENT = Words("higher agreement", "lower agreement")
ACCURACY = _ON_DATA_SET(
    name="accuracy", title="Top-1 accuracy on the data set", quantity=SHARE, higher_is_better=True,
    of=lambda s: s.accuracy, why_none=_why_not_evaluated, words=_MORE_ACCURATE,
    columns=(Column("top-1", lambda s: _percent(s.accuracy), drop_order=4, place=8),),
)  # fmt: skip
LOSS = _ON_DATA_SET(
    name="accuracy_loss", title="Accuracy lost against fp32", quantity=SHARE, higher_is_better=False,
    of=_evaluated("loss"), why_none=_why_no_loss, words=Words("less lost", "more lost"),
    instead="accuracy",
    columns=(Column("lost to fp32", _loss_column, drop_order=4, place=9),),
)  # fmt: skip
AGREEMENT = Metric(
    "agreement", "Top-1 agreement with the reference", "accuracy", SHARE, higher_is_better=True,
    of=lambda s: s.agreement, exact=True, why_none=_why_no_agreement, words=_HIGHER_AGREEMENT,
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),
)  # fmt: skip
METRICS = (
    ACCURACY,
    _ON_DATA_SET(
        name="top5", title="Top-5 accuracy on the data set", quantity=SHARE, higher_is_better=True,
        of=_evaluated("top5"), why_none=_why_not_evaluated, words=_MORE_ACCURATE,
    ),
    LOSS,
    _ON_DATA_SET(
        name="agreement_fp32", title="Top-1 agreement with fp32 on the data set", quantity=SHARE, higher_is_better=True,
        of=_evaluated("agreement"), why_none=_why_no_loss, words=_HIGHER_AGREEMENT,
    ),
    _ON_DATA_SET(
        name="squared_error", title="Mean squared error on the data set", quantity=NUMBER, higher_is_better=False,
        of=_evaluated("squared_error"), why_none=_why_not_evaluated, words=Words("smaller error", "larger error"),
        columns=(Column("mean sq. error", _number_column, drop_order=4, place=8),),
    ),
    _ON_DATA_SET(
        name="cosine", title="Cosine similarity on the data set", quantity=NUMBER, higher_is_better=True,
        of=_evaluated("cosine"), why_none=_why_not_evaluated, words=Words("more alike", "less alike"),
    ),
    AGREEMENT,
)  # fmt: skip
