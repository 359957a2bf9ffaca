"""What repeated rounds can tell apart: the noise between processes, and the rounds that a difference takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from inferometer import drift
from inferometer.estimates import Series
from inferometer.stats import CONFIDENCE, Floats, t_quantile
from inferometer.summary import Results
from inferometer.units import counted, significant

POWER = 0.90  # share of true differences that are to be found
AIM = 0.03  # the relative difference that a run should tell
MOST_ROUNDS = 1000
PRACTICAL_ROUNDS = 50
_Z_POWER = 1.2816  # one-sided normal quantile of POWER
# of 98.5 %: plans want more, since verdicts are adjusted for the number of cells and the noise is an estimate itself
_Z_PLANNED = 2.1701


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
    return _difference(noise, rounds, _Z_POWER)


def _difference(noise: float, rounds: int, z_power: float) -> float:
    quantiles = t_quantile(CONFIDENCE, 2 * (rounds - 1)) + z_power
    return math.expm1(quantiles * noise * math.sqrt(2 / rounds))


def rounds_for(difference: float, noise: float) -> int:
    """Return how many rounds let `compare` find a relative ``difference`` in `POWER` of the cases; at most `MOST_ROUNDS`.

    Planned with a margin that simulation asks for (docs/statistics.md).
    """
    enough = (n for n in range(2, MOST_ROUNDS) if _difference(noise, n, _Z_PLANNED) <= difference)
    return next(enough, MOST_ROUNDS)


def resolution_text(results: Results, difference: float = AIM) -> str:
    """Return one line on what these rounds can tell; "" where no cell has two."""
    noise = noise_between_rounds(results)
    if not len(noise):
        return ""
    rounds = min(len(series.keys) for series in _throughputs(results).values() if len(series.keys) > 1)
    needed = rounds_for(difference, float(np.median(noise)))
    more = "" if needed <= rounds else f"; {100 * difference:g} % would take {_remedy(needed)}"
    return f"{_finding(noise, rounds)}{more}"


@dataclass(frozen=True)
class SecondStage:
    """How many rounds a run should have in all, and why."""

    rounds: int
    text: str


def second_stage(results: Results, rounds: int, most: int) -> SecondStage | None:
    """Return to how many rounds, at most ``most``, a run of ``rounds`` is to go on so that it tells `AIM`; None if it is not.

    The number depends on the noise of the first stage alone, not on what it says of the cells, so that the intervals of
    all rounds together stay right (Stein, A Two-Sample Test for a Linear Hypothesis Whose Power is Independent of the
    Variance, Ann. Math. Statist. 16(3), 1945). Where even twice ``most`` would not do, rounds are no remedy.
    """
    noise = noise_between_rounds(results)
    needed = rounds_for(AIM, float(np.median(noise))) if len(noise) else 0
    wanted = min(needed, most)
    if wanted <= rounds or needed > 2 * most:
        return None
    return SecondStage(
        wanted,
        f"{_finding(noise, rounds)}; going on to {wanted}, and Ctrl-C ends it with what there is (--rounds fixes the number)",
    )


def _finding(noise: Floats, rounds: int) -> str:
    middle = float(np.median(noise))
    return (
        f"noise between rounds {_percent(middle)} (median of {counted(len(noise), 'cell')}): {rounds} rounds tell "
        f"differences of {_percent(smallest_difference(middle, rounds))}"
    )


def _remedy(rounds: int) -> str:
    if rounds > PRACTICAL_ROUNDS:
        return f"more than {PRACTICAL_ROUNDS} rounds: a quieter machine"
    return f"--rounds {rounds}"


def _percent(share: float) -> str:
    return f"{significant(100 * share, 2)} %"
