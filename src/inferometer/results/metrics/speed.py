"""How fast a cell is, and how steadily so: images in a second."""

from __future__ import annotations

import functools
import math

import numpy as np

from inferometer.quantiles import CONFIDENCE
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate
from inferometer.results.metrics.metric import Column, Metric, Place, Reason, Words, number, product_of
from inferometer.results.metrics.quantities import IMAGES_PER_SECOND, SHARE
from inferometer.results.stats import variance_of

_WORDS = Words("faster", "slower")


def _half_width(summary: CellSummary) -> str:
    share = summary.throughput.half_width if summary.throughput else None
    if share is None:
        return ""
    return f"{100 * share:.1f} %" if share < 10 else ">1000 %"


def _process_noise(summary: CellSummary) -> Estimate | None:
    """Return how much the throughput of one round differs from that of the next, as a share of it.

    The standard deviation of the rounds' logarithms, which is the coefficient of variation where that is small (below
    20 %, within 1 % of it); its interval is that of chi-square. Drift that cells share is part of it.
    """
    rounds = summary.series.get("throughput")
    if rounds is None or rounds.processes < 2:
        return None
    return _noise_of(rounds.logs)


@functools.lru_cache(maxsize=1 << 14)  # tables, figures and evidence ask for the same cells
def _noise_of(logs: tuple[float, ...]) -> Estimate:
    dof = len(logs) - 1
    variance = variance_of(np.array(logs))
    low, high = (math.sqrt(variance * dof / quantile) for quantile in _chi_square(dof))
    return Estimate(math.sqrt(variance), low, high, SHARE.unit, "rounds", dof + 1)


@functools.lru_cache(maxsize=256)
def _chi_square(dof: int) -> tuple[float, float]:
    """Return the two quantiles of chi-square that `CONFIDENCE` lies between, the larger first."""
    from scipy.special import chdtri

    tail = (1 - CONFIDENCE) / 2
    return float(chdtri(dof, tail)), float(chdtri(dof, 1 - tail))


def _one_round(summary: CellSummary) -> Reason:
    return "one round", "noise between rounds takes two rounds or more"


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
        "throughput_study",
        "Throughput, mean of loop rates as in the study",
        "speed",
        IMAGES_PER_SECOND,
        higher_is_better=True,
        of=lambda s: s.throughput_study,
        series=product_of(("throughput_study", 1)),
        words=_WORDS,
    ),
    Metric(
        "process_noise",
        "Noise between rounds, of the throughput",
        "speed",
        SHARE,
        higher_is_better=False,
        of=_process_noise,
        why_none=_one_round,
        words=Words("steadier", "less steady"),
        shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),
    ),
)
