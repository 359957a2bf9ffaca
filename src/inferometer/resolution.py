"""What repeated rounds can tell apart: the noise between processes, and the rounds that a difference takes."""

from __future__ import annotations

import math

import numpy as np

from inferometer import drift
from inferometer.estimates import Series
from inferometer.stats import CONFIDENCE, Floats, t_quantile
from inferometer.summary import Results
from inferometer.units import counted, significant

POWER = 0.90  # share of true differences that are to be found
MOST_ROUNDS = 1000
PRACTICAL_ROUNDS = 50
_Z_POWER = 1.2816  # one-sided normal quantile of POWER


def noise_between_rounds(results: Results) -> Floats:
    """Return each measured cell's relative standard deviation of throughput between fresh processes.

    Drift that the cells of a machine share is taken out (`inferometer.drift`); cells with one round are left out.
    """
    cells = _throughputs(results)
    names = {s.key: f"{s.machine}/{s.cell.framework}/{s.cell.precision}" for s in results.summaries}
    variances = [variance for variance, _ in drift.estimate(cells, names).variances.values()]
    return np.sqrt(np.asarray(variances, dtype=np.float64))


def _throughputs(results: Results) -> dict[str, Series]:
    return {s.key: s.series["throughput"] for s in results.summaries if s.ranked and "throughput" in s.series}


def smallest_difference(noise: float, rounds: int) -> float:
    """Return the relative difference of two cells that ``rounds`` rounds find in `POWER` of the cases, at ``noise``.

    Two means with Student's t, 2 x (rounds - 1) degrees of freedom (Julious, Sample Sizes for Clinical Trials, 2010, 3.3,
    in its approximation by the normal quantile of the power).
    """
    quantiles = t_quantile(CONFIDENCE, 2 * (rounds - 1)) + _Z_POWER
    return math.expm1(quantiles * noise * math.sqrt(2 / rounds))


def rounds_for(difference: float, noise: float) -> int:
    """Return how many rounds find a relative ``difference`` in `POWER` of the cases; `MOST_ROUNDS` for that many or more."""
    return next(
        (n for n in range(2, MOST_ROUNDS) if smallest_difference(noise, n) <= difference), MOST_ROUNDS
    )


def resolution_text(results: Results, difference: float = 0.03) -> str:
    """Return one line on what these rounds can tell; "" where no cell has two."""
    noise = noise_between_rounds(results)
    if not len(noise):
        return ""
    middle = float(np.median(noise))
    rounds = min(len(series.keys) for series in _throughputs(results).values() if len(series.keys) > 1)
    least, needed = smallest_difference(middle, rounds), rounds_for(difference, middle)
    more = "" if needed <= rounds else f"; {100 * difference:g} % would take {_remedy(needed)}"
    return (
        f"noise between rounds {_percent(middle)} (median of {counted(len(noise), 'cell')}): {rounds} rounds tell "
        f"differences of {_percent(least)}{more}"
    )


def _remedy(rounds: int) -> str:
    if rounds > PRACTICAL_ROUNDS:
        return f"more than {PRACTICAL_ROUNDS} rounds: a quieter machine"
    return f"--rounds {rounds}"


def _percent(share: float) -> str:
    return f"{significant(100 * share, 2)} %"
