"""What two runs at different times can know: noise of a cell, and drift that all cells of a run share (pure).

Within a run the frameworks are interleaved, so drift shows as an effect of the round common to all frameworks. It is
modelled as a random walk plus a trend, both estimated from the rounds' common effects beyond what independent
processes explain; the distance that such drift covers between the means of two runs, one after the other, is added to
the variance of every comparison of them. See docs/statistics.md.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.results import stats
from inferometer.results.estimates import Key, Series


@dataclass(frozen=True)
class Walk:
    """What the rounds' common effects of one run look like."""

    steps: float  # mean square of a round's difference from the one before
    slope: float  # least squares, a round
    noise: float  # variance of a round's effect that independent processes alone explain
    rounds: int

    @property
    def slope_noise(self) -> float:
        """Return the variance of the slope that ``noise`` alone explains."""
        return self.noise * 12 / (self.rounds * (self.rounds**2 - 1))


@dataclass(frozen=True)
class Noise:
    """One side's noise: a variance a cell, and the common drift."""

    variances: Mapping[str, tuple[float, float]]  # by cell: of one round, and its degrees of freedom
    independent_dof: float = 0.0  # of processes: cells of one framework and round share a process
    walk: Walk | None = None  # None: too few rounds and frameworks to see any


NOTHING = Noise({})


def estimate(series: Mapping[str, Series], frameworks: Mapping[str, str]) -> Noise:
    """Return the noise of one run's cells; ``frameworks`` names the process each cell (by key) ran in."""
    whole = {cell: s for cell, s in series.items() if len(s.keys) > 1}
    if not whole:
        return NOTHING
    blocks = _blocks(whole)
    centred = _centred(whole, blocks, frameworks)
    effects, share = _round_effects(centred)
    variances = _variances(whole, blocks, effects, share)
    walk = _walk(centred, effects)
    processes: dict[str, float] = {}
    for cell, (_, freedom) in variances.items():
        processes[frameworks[cell]] = max(processes.get(frameworks[cell], 0.0), freedom)
    return Noise(variances, share * sum(processes.values()), walk)


@dataclass(frozen=True)
class _Block:
    """Cells that have the same rounds, so that all of them are computed at once."""

    keys: tuple[Key, ...]
    cells: list[str]
    logs: stats.Floats  # a row a cell, a column a round


def _blocks(whole: Mapping[str, Series]) -> list[_Block]:
    alike: dict[tuple[Key, ...], list[str]] = {}
    for cell, found in whole.items():
        alike.setdefault(found.keys, []).append(cell)
    return [_Block(keys, cells, np.array([whole[c].logs for c in cells])) for keys, cells in alike.items()]


def _variances(
    whole: Mapping[str, Series], blocks: Sequence[_Block], effects: Mapping[Key, float], share: float
) -> dict[str, tuple[float, float]]:
    """Return each cell's variance of a round, the common effects taken out, and its degrees of freedom."""
    found: dict[str, tuple[float, float]] = {}
    for block in blocks:
        count = len(block.keys)
        rest = block.logs - np.array([effects.get(key, 0.0) for key in block.keys])
        rest -= np.add.reduce(rest, axis=1, keepdims=True) / count
        each = np.add.reduce(rest * rest, axis=1) / (count - 1) / share
        found |= {cell: (v, count - 1.0) for cell, v in zip(block.cells, each.tolist(), strict=True)}
    return {cell: found[cell] for cell in whole}


def _centred(
    whole: Mapping[str, Series], blocks: Sequence[_Block], frameworks: Mapping[str, str]
) -> dict[str, dict[Key, float]]:
    """Return, by framework and round, how far its cells were from their own means, on average."""
    found: dict[str, dict[Key, float]] = {frameworks[cell]: {} for cell in whole}
    blocks_of = Counter(name for block in blocks for name in {frameworks[cell] for cell in block.cells})
    apart: dict[str, list[float]] = {}  # cells of frameworks whose cells do not all have the same rounds
    for block in blocks:
        rest = block.logs - np.add.reduce(block.logs, axis=1, keepdims=True) / len(block.keys)
        members: dict[str, list[int]] = {}
        for place, cell in enumerate(block.cells):
            if blocks_of[frameworks[cell]] > 1:
                apart[cell] = rest[place].tolist()
            else:
                members.setdefault(frameworks[cell], []).append(place)
        found |= _means(block.keys, rest, members)
    sums: dict[str, dict[Key, list[float]]] = {}
    for cell in (cell for cell in whole if cell in apart):
        rounds = sums.setdefault(frameworks[cell], {})
        for key, distance in zip(whole[cell].keys, apart[cell], strict=True):
            rounds.setdefault(key, []).append(distance)
    return found | {name: {key: _mean(v) for key, v in rounds.items()} for name, rounds in sums.items()}


def _means(
    keys: Sequence[Key], rest: stats.Floats, members: Mapping[str, Sequence[int]]
) -> dict[str, dict[Key, float]]:
    """Return the mean of each framework's cells, round by round; those of as many cells at once."""
    alike: dict[int, list[str]] = {}
    for name, places in members.items():
        alike.setdefault(len(places), []).append(name)
    found: dict[str, dict[Key, float]] = {}
    for count, names in alike.items():
        values = rest[[members[name] for name in names]].transpose(0, 2, 1)  # framework, round, cell
        means = np.add.reduce(np.ascontiguousarray(values), axis=2) / count
        found |= {
            name: dict(zip(keys, row, strict=True)) for name, row in zip(names, means.tolist(), strict=True)
        }
    return found


def _mean(values: Sequence[float]) -> float:
    return stats.mean_of(np.array(values))


def _round_effects(centred: Mapping[str, Mapping[Key, float]]) -> tuple[dict[Key, float], float]:
    """Return the rounds' common effects and the share of a cell's own variance that removing them leaves."""
    if len(centred) < 3:  # too few to tell common drift from each one's noise
        return {}, 1.0
    rounds = sorted({key for found in centred.values() for key in found})
    effects = {k: _mean([f[k] for f in centred.values() if k in f]) for k in rounds}
    return effects, 1 - 1 / len(centred)


def _walk(centred: Mapping[str, Mapping[Key, float]], effects: Mapping[Key, float]) -> Walk | None:
    rounds = sorted({key for found in centred.values() for key in found})
    count = len(rounds)
    if count < (2 if effects else 3):
        return None
    values = np.array([_mean([f[key] for f in centred.values() if key in f]) for key in rounds])
    times = np.arange(count) - (count - 1) / 2
    slope = float(times @ values / (times @ times))
    if effects:  # enough frameworks to know what independent processes alone would show
        rest = [found[key] - effects[key] for found in centred.values() for key in found]
        noise = float(np.sum(np.square(rest))) / ((len(centred) - 1) * (count - 1)) / len(centred)
        steps = float(np.mean(np.diff(values) ** 2))
        return Walk(
            steps, slope if count > 2 else 0.0, noise, count
        )  # of two rounds the slope is the one step
    noise = float(np.sum((values - values.mean() - slope * times) ** 2)) / (count - 2)
    return Walk(0.0, slope, noise, count)


def between(first: Noise, second: Noise, rounds: Sequence[int]) -> list[tuple[float, float]]:
    """Return the variances that drift adds to a difference of two runs' means, each with its degrees of freedom.

    Over two runs of n rounds, one after the other: q (2 n^2 + 1) / (3 n) of a random walk with step variance q, and
    (b n)^2 of a trend of b a round that both runs show.
    """
    walks = [side.walk for side in (first, second) if side.walk]
    if not walks:
        return []
    # numpy takes ten times as long to add up two numbers
    count, sides = sum(rounds) / len(rounds), len(walks)
    noise = 2 * sum(w.noise for w in walks) / sides
    step = max(0.0, sum(w.steps for w in walks) / sides - noise)
    slope_noise = sum(w.slope_noise for w in walks) / sides**2
    trend = max(0.0, (sum(w.slope for w in walks) / sides) ** 2 - slope_noise)
    step_dof = float(sum(w.rounds - 1 for w in walks))
    return [(step * (2 * count**2 + 1) / (3 * count), step_dof), (trend * count**2, float(sides))]


def unpaired(
    first: stats.Units,
    second: stats.Units,
    known: Sequence[tuple[float, float] | None],
    borrowed: stats.Prior = stats.NO_PRIOR,
    added: Sequence[tuple[float, float]] = (),
) -> stats.Spread | None:
    """Return how far apart two cells of different rounds are; None where nothing is known of the noise of either.

    ``known``: each one's variance of one unit (round or run) with its degrees of freedom; a cell of one unit has none and
    takes the other's, or what ``borrowed`` says of all cells. ``added``: further variances of the difference. Degrees of
    freedom after Welch 1947.
    """
    counts = [first.count, second.count]
    own = [borrowed.moderate(*found) for found in known if found]
    if len(own) == 2:
        parts = [(variance / count, dof) for (variance, dof), count in zip(own, counts, strict=True)]
    elif lent := own[0] if own else borrowed.alone:
        parts = [(lent[0] * sum(1 / count for count in counts), lent[1])]
    else:
        return None
    parts += added
    total = sum(part for part, _ in parts)
    dof = total**2 / sum(part**2 / dof for part, dof in parts if part > 0) if total > 0 else 1.0
    return stats.Spread(second.mean - first.mean, float(np.sqrt(total)), dof)


def between_pools(first: Series, second: Series) -> stats.Spread | None:
    """Return how far apart two cells are of which at least one was measured in several runs; None otherwise.

    What repeats are the runs; a cell of a single one takes the other's variance between runs, and where it has fewer rounds than
    those, what its mean varies more by them.
    """
    known = [(s.units.variance, s.runs - 1.0) if s.runs > 1 else None for s in (first, second)]
    ours, theirs = (s.units if s.runs > 1 else s.by_run().units for s in (first, second))
    spread, added = unpaired(ours, theirs, known), _of_fewer_rounds(first, second)
    more = unpaired(ours, theirs, known, added=added) if added else None
    # two runs may agree by luck: the rounds' many degrees of freedom must not hide how few runs there are
    return stats.wider(spread, more) if spread and more else spread


def _of_fewer_rounds(first: Series, second: Series) -> list[tuple[float, float]]:
    """Return by how much the mean of a single run varies more than those of the other side's runs, which have more rounds."""
    single, pooled = sorted((first, second), key=lambda side: side.runs)
    share = 1 / len(single.keys) - pooled.runs / len(pooled.keys)
    if single.runs > 1 or share <= 0:
        return []
    variance, freedom = _within_runs(first, second)
    return [(variance * share, freedom)]


def _within_runs(*sides: Series) -> tuple[float, float]:
    """Return the variance of a round about the mean of its run, over all runs, and its degrees of freedom."""
    squares = freedom = 0.0
    for side in sides:
        means = dict(zip((run for run, _ in side.by_run().keys), side.by_run().logs, strict=True))
        squares += sum((log - means[run]) ** 2 for (run, _), log in zip(side.keys, side.logs, strict=True))
        freedom += len(side.keys) - len(means)
    return squares / freedom, freedom


@dataclass(frozen=True)
class Levels:
    """The noise of one side at both levels: of rounds within a run, and of runs where cells were measured in several."""

    rounds: Noise = NOTHING
    runs: Noise = NOTHING

    @classmethod
    def of(cls, series: Mapping[str, Series], frameworks: Mapping[str, str]) -> Levels:
        """Return the noise of cells by key; ``frameworks`` names the process each ran in."""
        runs = {cell: found.runs for cell, found in series.items()}
        pooled = {cell: found.by_run() for cell, found in series.items() if runs[cell] > 1}
        single = {cell: found for cell, found in series.items() if runs[cell] == 1}
        return cls(estimate(single, frameworks), estimate(pooled, frameworks))

    def paired(self, difference: Series) -> stats.Spread:
        """Return the spread of paired differences of two cells, two rounds at least; a difference has twice the variance."""
        return stats.paired(difference.units, self._of_differences[difference.runs > 1])

    def paired_rows(self, rows: stats.Floats) -> stats.Spreads:
        """Return `paired` of each row of differences, one a round of one run."""
        return stats.paired_rows(rows, self._of_differences[False])

    @functools.cached_property
    def prior(self) -> stats.Prior:
        """Return what all cells say of the variance of one round."""
        return prior(self.rounds)

    @functools.cached_property
    def _of_differences(self) -> tuple[stats.Prior, stats.Prior]:
        return prior(self.rounds, factor=2.0), prior(self.runs, factor=2.0)


def prior(*sides: Noise, factor: float = 1.0) -> stats.Prior:
    """Return what all cells say about the variance of one round, times ``factor`` (2: of a difference of two cells)."""
    found = [pair for side in sides for pair in side.variances.values()]
    total = sum(side.independent_dof for side in sides)
    return stats.fit_prior([factor * v for v, _ in found], [d for _, d in found], total)
