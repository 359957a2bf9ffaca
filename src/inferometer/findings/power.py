"""Findings about power against throughput: the study's criterion of a good framework."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferometer import units
from inferometer.findings.finding import ONE_PROCESS, Finding, where
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.results import stats
from inferometer.results.cells import CellSummary, Results, Scope
from inferometer.results.judging import SUBJECTS, Judgement, processes
from inferometer.results.metrics import POWER
from inferometer.results.stats import Line

_LEAST_R2 = 0.5  # below it a line explains less than half of the power's variance

_Points = list[tuple[float, float]]


def regressions(summaries: Sequence[CellSummary]) -> dict[tuple[Scope, str], Line]:
    """Return power [W] on throughput [images/s] over the batch sizes, by scope and row, where there are three or more."""
    lines = {}
    for key, found in _points(summaries).items():
        line = stats.regress(*_axes(found)) if len(found) >= 3 else None
        if line:
            lines[key] = line
    return lines


def _points(summaries: Sequence[CellSummary]) -> dict[tuple[Scope, str], _Points]:
    points: dict[tuple[Scope, str], _Points] = defaultdict(list)
    for summary in summaries:
        if summary.ranked and summary.power and summary.throughput:
            pair = (summary.throughput.value, summary.power.value)
            if all(map(math.isfinite, pair)):
                points[(summary.machine, summary.model, summary.cell.mode), summary.row].append(pair)
    return points


def _axes(points: _Points) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


@dataclass(frozen=True)
class _Slope:
    """A line with how far its slope may be off."""

    row: str
    line: Line
    error: float  # standard error of the slope
    repeated: bool  # some of its cells have a second process

    @property
    def dof(self) -> int:
        return self.line.n - 2

    def interval(self, claims: int) -> tuple[float, float]:
        """Return the 95 % interval of the slope; ``claims``: of as many slopes at once."""
        reach = t_quantile(1 - (1 - CONFIDENCE) / claims, self.dof) * self.error
        return self.line.slope - reach, self.line.slope + reach

    def judged(self, claims: int) -> Judgement:
        """Return what the data say of the slope against none."""
        p = stats.Spread(self.line.slope, self.error, self.dof).p
        return Judgement(
            "slope", self.row, "", "told" if p * claims <= stats.ALPHA else "tie", min(1.0, p * claims)
        )


def slopes(results: Results) -> list[Finding]:
    """Say of a machine's frameworks how much power another image/s takes (the study's criterion), and whose the data tell apart."""
    points = _points(results.summaries)
    repeated = {
        (s.machine, s.model, s.cell.mode, s.row) for s in results.summaries if processes(s, POWER) > 1
    }
    fitted: dict[Scope, list[_Slope]] = defaultdict(list)
    for (scope, row), line in regressions(results.summaries).items():
        error = _error(points[scope, row], line)
        fitted[scope].append(_Slope(row, line, error, (*scope, row) in repeated))
    found = []
    for scope, lines in fitted.items():
        said, tests = _rising(sorted(lines, key=lambda one: one.line.slope))
        if len(lines) > 1 and said:
            found.append(Finding("slope", f"On {where(results, scope)} {said}", *scope, tests))
    return found


def _error(points: _Points, line: Line) -> float:
    """Return the standard error of a least-squares slope."""
    x, y = (np.array(axis) for axis in _axes(points))
    left = y - line.intercept - line.slope * x
    return float(np.sqrt(left @ left / (line.n - 2) / np.sum((x - x.mean()) ** 2)))


def _rising(lines: Sequence[_Slope]) -> tuple[str, tuple[Judgement, ...]]:
    """Return the slopes that the data tell from none, with intervals, and which is the least if they tell that too."""
    judged = [(one, one.judged(SUBJECTS * len(lines))) for one in lines]
    rising = [one for one, found in judged if found.told and one.line.r2 >= _LEAST_R2]
    if not rising:
        return "", ()
    tests = [found for one, found in judged if one in rising]
    listed = ", ".join(_shown(one, len(lines)) for one in rising)
    text = (
        "power changes with throughput over the batch sizes by, in mW per image/s "
        f"(95 % interval of all together): {listed}"
    )
    repeated = all(one.repeated for one in rising)  # another process may have another slope
    least = _least(rising, len(lines)) if repeated else None
    if least:
        tests.append(least)
        text += f"; more speed costs least power with {rising[0].row}"
    elif len(rising) > 1:
        text += "; which of them is less the data do not tell" + (
            "" if repeated else f", since {ONE_PROCESS}"
        )
    unsure = [one.row for one in lines if one not in rising]
    text += f". Not told from none: {units.listed(unsure)}" if unsure else ""
    return f"{text}.", tuple(tests)


def _shown(one: _Slope, claims: int) -> str:
    low, high = one.interval(claims)
    return (
        f"{one.row} {1e3 * one.line.slope:+.3g} ({1e3 * low:+.3g} to {1e3 * high:+.3g}; R² {one.line.r2:.2f})"
    )


def _least(rising: Sequence[_Slope], count: int) -> Judgement | None:
    """Return the test that tells the least slope from all others; None where one may be as small."""
    first, *others = rising
    found = [_apart(first, other, count) for other in others]
    return max(found, key=lambda one: one.p) if found and all(one.told for one in found) else None


def _apart(first: _Slope, second: _Slope, count: int) -> Judgement:
    """Return what the data say of two slopes (Welch's t), corrected for the pairs among ``count``."""
    variances = [(one.error**2, one.dof) for one in (first, second)]
    total = sum(v for v, _ in variances)
    dof = total**2 / sum(v**2 / d for v, d in variances) if total > 0 else 1.0
    spread = stats.Spread(second.line.slope - first.line.slope, math.sqrt(total), dof)
    p = min(1.0, spread.p * SUBJECTS * max(1, count * (count - 1) // 2))
    return Judgement("slope", first.row, second.row, "told" if p <= stats.ALPHA else "tie", p)
