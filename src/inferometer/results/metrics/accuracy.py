"""Whether a cell's answers are right: on the user's own data, and beside the reference."""

from __future__ import annotations

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


def _top5(summary: CellSummary) -> Estimate | None:
    return summary.evaluated.top5 if summary.evaluated else None


def _loss(summary: CellSummary) -> Estimate | None:
    return summary.evaluated.loss if summary.evaluated else None


def _agreement_fp32(summary: CellSummary) -> Estimate | None:
    return summary.evaluated.agreement if summary.evaluated else None


def _squared_error(summary: CellSummary) -> Estimate | None:
    return summary.evaluated.squared_error if summary.evaluated else None


def _cosine(summary: CellSummary) -> Estimate | None:
    return summary.evaluated.cosine if summary.evaluated else None


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


_ASKED = frozenset({Place.PAGE, Place.WORKBOOK, Place.MARKDOWN})
ACCURACY = Metric(
    "accuracy",
    "Top-1 accuracy on the data set",
    "accuracy",
    SHARE,
    higher_is_better=True,
    of=lambda s: s.accuracy,
    why_none=_why_not_evaluated,
    competes=False,
    asked_for=True,
    shows_ends=True,
    words=Words("more accurate", "less accurate"),
    shown_in=_ASKED,
    columns=(Column("top-1", lambda s: _percent(s.accuracy), drop_order=4, place=8),),
)
LOSS = Metric(
    "accuracy_loss",
    "Accuracy lost against fp32",
    "accuracy",
    SHARE,
    higher_is_better=False,
    of=_loss,
    why_none=_why_no_loss,
    competes=False,
    asked_for=True,
    shows_ends=True,
    words=Words("less lost", "more lost"),
    shown_in=_ASKED,
    columns=(Column("lost to fp32", _loss_column, drop_order=4, place=9),),
)
AGREEMENT = Metric(
    "agreement",
    "Top-1 agreement with the reference",
    "accuracy",
    SHARE,
    higher_is_better=True,
    of=lambda s: s.agreement,
    exact=True,
    why_none=_why_no_agreement,
    words=Words("higher agreement", "lower agreement"),
    shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),
)
METRICS = (
    ACCURACY,
    Metric(
        "top5",
        "Top-5 accuracy on the data set",
        "accuracy",
        SHARE,
        higher_is_better=True,
        of=_top5,
        why_none=_why_not_evaluated,
        competes=False,
        asked_for=True,
        shows_ends=True,
        words=Words("more accurate", "less accurate"),
        shown_in=_ASKED,
    ),
    LOSS,
    Metric(
        "agreement_fp32",
        "Top-1 agreement with fp32 on the data set",
        "accuracy",
        SHARE,
        higher_is_better=True,
        of=_agreement_fp32,
        why_none=_why_no_loss,
        competes=False,
        asked_for=True,
        shows_ends=True,
        words=Words("higher agreement", "lower agreement"),
        shown_in=_ASKED,
    ),
    Metric(
        "squared_error",
        "Mean squared error on the data set",
        "accuracy",
        NUMBER,
        higher_is_better=False,
        of=_squared_error,
        why_none=_why_not_evaluated,
        competes=False,
        asked_for=True,
        shows_ends=True,
        words=Words("smaller error", "larger error"),
        shown_in=_ASKED,
        columns=(Column("mean sq. error", lambda s: _number(_squared_error(s)), drop_order=4, place=8),),
    ),
    Metric(
        "cosine",
        "Cosine similarity on the data set",
        "accuracy",
        NUMBER,
        higher_is_better=True,
        of=_cosine,
        why_none=_why_not_evaluated,
        competes=False,
        asked_for=True,
        shows_ends=True,
        words=Words("more alike", "less alike"),
        shown_in=_ASKED,
    ),
    AGREEMENT,
)  # fmt: skip


def _number(estimate: Estimate | None) -> str:
    return f"{estimate.value:.3g}" if estimate else ""
