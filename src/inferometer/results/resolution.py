"""What repeated rounds can tell apart: the noise between processes, and the rounds that a difference takes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.results import drift
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Series
from inferometer.results.stats import Floats
from inferometer.units import counted, significant

POWER = 0.90  # share of true differences that are to be found
AIM = 0.03  # the relative difference that a run should tell
MOST_ROUNDS = 1000
PRACTICAL_ROUNDS = 50
SHORT_S = 0.05  # of a cell's loops in a round: shorter ones time the first calls of a process
_PLANNED_POWER = 0.96  # more than POWER, since verdicts are adjusted for the number of cells


@dataclass(frozen=True)
class Scatter:
    """Noise between fresh processes."""

    cells: Floats  # each measured cell's relative standard deviation of throughput
    dof: float  # degrees of freedom of them all, by processes

    @property
    def middle(self) -> float:
        """Return the cells' median."""
        return float(np.median(self.cells))


def noise_between_rounds(results: Results) -> Scatter:
    """Return the noise of the measured cells; those with one round are left out.

    Drift that the cells of a machine share is taken out (`inferometer.results.drift`). A variance of few rounds is more often
    too small than too large, so each is divided by the median of its distribution.
    """
    return _noise(results.summaries)


def _noise(summaries: Sequence[CellSummary]) -> Scatter:
    names = {s.key: f"{s.machine}/{s.cell.framework}/{s.cell.precision}" for s in summaries}
    found = drift.estimate(_throughputs(summaries), names)
    variances = [variance * dof / _median(dof) for variance, dof in found.variances.values()]
    return Scatter(np.sqrt(np.asarray(variances, dtype=np.float64)), found.independent_dof)


@functools.lru_cache(maxsize=1024)
def _median(dof: float) -> float:
    """Return the median of the chi-squared distribution."""
    from scipy.special import chdtri

    return float(chdtri(dof, 0.5))


def _throughputs(summaries: Sequence[CellSummary]) -> dict[str, Series]:
    return {s.key: s.series["throughput"] for s in summaries if s.ranked and "throughput" in s.series}


def smallest_difference(noise: float, rounds: int) -> float:
    """Return the relative difference of two cells that ``rounds`` rounds find in `POWER` of the cases, at ``noise``.

    Two means with Student's t, 2 x (rounds - 1) degrees of freedom (Julious, Sample Sizes for Clinical Trials, 2010, 3.3,
    in its approximation by the normal quantile of the power).
    """
    return _difference(noise, rounds, _one_sided(POWER, math.inf))


def _difference(noise: float, rounds: int, power_quantile: float) -> float:
    quantiles = t_quantile(CONFIDENCE, 2 * (rounds - 1)) + power_quantile
    return math.expm1(quantiles * noise * math.sqrt(2 / rounds))


def _one_sided(probability: float, dof: float) -> float:
    return t_quantile(2 * probability - 1, dof)


def rounds_for(difference: float, noise: float, dof: float = math.inf) -> int:
    """Return how many rounds let `compare` find a relative ``difference`` in `POWER` of the cases; at most `MOST_ROUNDS`.

    ``dof``: degrees of freedom that ``noise`` was estimated with; the fewer, the more rounds guard against an estimate
    that is too low. Planned with the margin that simulation asks for (docs/statistics.md).
    """
    quantile = _one_sided(_PLANNED_POWER, dof)
    enough = (n for n in range(2, MOST_ROUNDS) if _difference(noise, n, quantile) <= difference)
    return next(enough, MOST_ROUNDS)


@dataclass(frozen=True)
class Resolution:
    """What rounds can tell apart: in words, and the figures behind it."""

    words: str
    details: tuple[str, ...]


def resolution(results: Results, difference: float = AIM) -> Resolution | None:
    """Return what these rounds can tell; None where no cell has two."""
    noise = noise_between_rounds(results)
    if not len(noise.cells):
        return None
    counts = [len(series.keys) for series in _throughputs(results.summaries).values()]
    rounds = min(count for count in counts if count > 1)
    needed = _needed(noise, rounds, difference)
    more = "" if needed <= rounds else f"; {_remedy(needed, difference, _are_short(results))}"
    return Resolution(f"{_finding(noise, rounds)}{more}", _behind(noise, rounds, needed, difference))


@dataclass(frozen=True)
class SecondStage:
    """How many rounds a run should have in all, and why."""

    rounds: int
    text: str


def second_stage(results: Results, rounds: int, most: int) -> SecondStage | None:
    """Return to how many rounds, at most ``most``, a run of ``rounds`` is to go on so that it tells `AIM`; None if it is not.

    The device that needs most decides, but where even twice ``most`` would not do, rounds are no remedy. The number
    depends on the noise of the first stage alone, not on what it says of the cells: an internal pilot (Wittes and
    Brittain, The Role of Internal Pilot Studies, Statistics in Medicine 9, 1990).
    """
    noise = _noise_by_device(results)
    wanted = {device: _needed(found, rounds, AIM) for device, found in noise.items()}
    within = {device: min(count, most) for device, count in wanted.items() if count <= 2 * most}
    if max(within.values(), default=0) <= rounds:
        return None
    device, count = max(within.items(), key=lambda item: item[1])
    finding = _finding(noise[device], rounds, f" on {device}" if len(wanted) > 1 else "")
    return SecondStage(
        count,
        f"{finding}: going on to {count} rounds (Ctrl-C stops with what there is, --rounds fixes the number)",
    )


def _noise_by_device(results: Results) -> dict[str, Scatter]:
    devices = dict.fromkeys(s.cell.device for s in results.summaries)
    noise = {device: _noise([s for s in results.summaries if s.cell.device == device]) for device in devices}
    return {device: found for device, found in noise.items() if len(found.cells)}


def _needed(noise: Scatter, rounds: int, difference: float) -> int:
    if smallest_difference(noise.middle, rounds) <= difference:
        return rounds
    return rounds_for(difference, noise.middle, noise.dof)


def _finding(noise: Scatter, rounds: int, where: str = "") -> str:
    difference = smallest_difference(noise.middle, rounds)
    if difference > 1:
        return f"these {rounds} rounds tell only cells{where} apart of which one is some {_times(difference)} as fast"
    least = _percent(difference)
    return f"cells{where} less than about {least} apart may not be told apart by {rounds} rounds"


def _are_short(results: Results) -> bool:
    """Return whether most cells' loops lasted so short that longer ones would know their speed better."""
    found = [s for s in results.summaries if s.ranked and s.throughput and s.rounds]
    spans = [s.batches * s.cell.batch_size / s.throughput.value / s.rounds for s in found if s.throughput]
    return bool(spans) and float(np.median(spans)) < SHORT_S


def _remedy(rounds: int, difference: float, short: bool) -> str:
    quieter = "measure on a quieter machine"
    if short:
        quieter = f"let loops last longer (--energy-window 1), or {quieter}"
    way = quieter if rounds > PRACTICAL_ROUNDS else f"--rounds {rounds}"
    return f"to tell {100 * difference:g} %: {way}"


def _behind(noise: Scatter, rounds: int, needed: int, difference: float) -> tuple[str, ...]:
    cells = counted(len(noise.cells), "cell")
    least = smallest_difference(noise.middle, rounds)
    told = f"a factor of {significant(1 + least, 2)}" if least > 1 else f"a difference of {_percent(least)}"
    found = [
        f"a cell's throughput scatters by {_percent(noise.middle)} between rounds (standard deviation, median of {cells})",
        f"at that noise {rounds} rounds find {told} nine times in ten",
    ]
    if needed > rounds:
        count = f"more than {PRACTICAL_ROUNDS}" if needed > PRACTICAL_ROUNDS else f"{needed}"
        found.append(f"{100 * difference:g} % would take {count} rounds")
    return tuple(found)


def _times(difference: float) -> str:
    """Return a relative difference of more than 1 as a multiple."""
    return f"{significant(1 + difference, 2)} times"


def _percent(share: float) -> str:
    return f"{significant(100 * share, 2)} %"
