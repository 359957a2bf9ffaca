"""What two runs at different times can know: noise of a cell, and drift that all cells of a run share (pure).

Within a run the frameworks are interleaved, so drift shows as an effect of the round common to all frameworks. It is
modelled as a random walk plus a trend, both estimated from the rounds' common effects beyond what independent
processes explain; the distance that such drift covers between the means of two runs, one after the other, is added to
the variance of every comparison of them. See docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer import stats
from inferometer.estimates import Key, Series

# Drift counts as far as it exceeds so many times what independent noise alone would show on average: with 1, chance
# alone would often be taken for drift and hide real changes; chosen by benchmarks/compare_power.py.
_CLEARLY = 1.5


@dataclass(frozen=True)
class Noise:
    """One side's noise: a variance a cell, and the common drift a round."""

    variances: Mapping[str, tuple[float, float]]  # by cell: of one round, and its degrees of freedom
    independent_dof: float = 0.0  # of processes: cells of one framework and round share a process
    step: float = 0.0  # variance of one step of the random walk
    step_dof: float = 0.0
    trend: float = 0.0  # square of the trend a round
    trend_dof: float = 0.0


NOTHING = Noise({})


def estimate(series: Mapping[str, Series], frameworks: Mapping[str, str]) -> Noise:
    """Return the noise of one run's cells; ``frameworks`` names the process each cell (by key) ran in."""
    whole = {cell: s for cell, s in series.items() if not s.within and len(s.keys) > 1}
    if not whole:
        return NOTHING
    effects, share = _round_effects(whole, frameworks)
    variances = {}
    for cell, found in whole.items():
        rest = np.array([x - effects.get(k, 0.0) for k, x in zip(found.keys, found.logs, strict=True)])
        variances[cell] = (float(rest.var(ddof=1)) / share, len(rest) - 1.0)
    drift = _drift(_centred(whole, frameworks), effects)
    processes: dict[str, float] = {}
    for cell, (_, freedom) in variances.items():
        processes[frameworks[cell]] = max(processes.get(frameworks[cell], 0.0), freedom)
    return Noise(variances, share * sum(processes.values()), *drift)


def _centred(whole: Mapping[str, Series], frameworks: Mapping[str, str]) -> dict[str, dict[Key, float]]:
    """Return, by framework and round, how far its cells were from their own means, on average."""
    sums: dict[str, dict[Key, list[float]]] = {}
    for cell, found in whole.items():
        mean = float(np.mean(found.logs))
        rounds = sums.setdefault(frameworks[cell], {})
        for key, log in zip(found.keys, found.logs, strict=True):
            rounds.setdefault(key, []).append(log - mean)
    return {name: {key: float(np.mean(v)) for key, v in rounds.items()} for name, rounds in sums.items()}


def _round_effects(
    whole: Mapping[str, Series], frameworks: Mapping[str, str]
) -> tuple[dict[Key, float], float]:
    """Return the rounds' common effects and the share of a cell's own variance that removing them leaves."""
    centred = _centred(whole, frameworks)
    if len(centred) < 3:  # too few to tell common drift from each one's noise
        return {}, 1.0
    rounds = sorted({key for found in centred.values() for key in found})
    effects = {k: float(np.mean([f[k] for f in centred.values() if k in f])) for k in rounds}
    return effects, 1 - 1 / len(centred)


def _drift(
    centred: Mapping[str, Mapping[Key, float]], effects: Mapping[Key, float]
) -> tuple[float, float, float, float]:
    """Return the walk's step variance and the squared trend a round, each with its degrees of freedom."""
    rounds = sorted({key for found in centred.values() for key in found})
    count = len(rounds)
    if count < 3:
        return 0.0, 0.0, 0.0, 0.0
    values = np.array([np.mean([f[key] for f in centred.values() if key in f]) for key in rounds])
    times = np.arange(count) - (count - 1) / 2
    slope = float(times @ values / (times @ times))
    if effects:  # enough frameworks to know what independent processes alone would show
        rest = [found[key] - effects[key] for found in centred.values() for key in found]
        noise = float(np.sum(np.square(rest))) / ((len(centred) - 1) * (count - 1)) / len(centred)
        step = max(0.0, float(np.mean(np.diff(values) ** 2)) - _CLEARLY * 2 * noise)
    else:
        noise = float(np.sum((values - values.mean() - slope * times) ** 2)) / (count - 2)
        step = 0.0
    trend = max(0.0, slope**2 - _CLEARLY * noise / float(times @ times))
    return step, count - 1.0, trend, 1.0


def between(first: Noise, second: Noise, rounds: Sequence[int]) -> list[tuple[float, float]]:
    """Return the variances that drift adds to a difference of two runs' means, each with its degrees of freedom.

    Over two runs of n rounds, one after the other: q (2 n^2 + 1) / (3 n) of a random walk with step variance q, and
    (b n)^2 of a trend of b a round.
    """
    count = float(np.mean(rounds))
    sides = (first, second)
    step, step_dof = _weighted([(side.step, side.step_dof) for side in sides])
    trend, trend_dof = _weighted([(side.trend, side.trend_dof) for side in sides])
    return [(step * (2 * count**2 + 1) / (3 * count), step_dof), (trend * count**2, trend_dof)]


def _weighted(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    total = sum(dof for _, dof in parts)
    return (sum(value * dof for value, dof in parts) / total if total else 0.0), total


def prior(*sides: Noise, factor: float = 1.0) -> stats.Prior:
    """Return what all cells say about the variance of one round, times ``factor`` (2: of a difference of two cells)."""
    found = [pair for side in sides for pair in side.variances.values()]
    total = sum(side.independent_dof for side in sides)
    return stats.fit_prior([factor * v for v, _ in found], [d for _, d in found], total)
