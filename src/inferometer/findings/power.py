"""Findings about power against throughput: the study's criterion of a good framework."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from inferometer import units
from inferometer.findings.finding import Finding, Scope, where
from inferometer.results import stats
from inferometer.results.cells import CellSummary, Results
from inferometer.results.stats import Line

_LEAST_R2 = 0.5  # below it a line explains less than half of the power's variance


def regressions(summaries: Sequence[CellSummary]) -> dict[tuple[Scope, str], Line]:
    """Return power [W] on throughput [images/s] over the batch sizes, by scope and row, where there are three or more."""
    points: dict[tuple[Scope, str], list[tuple[float, float]]] = defaultdict(list)
    for summary in summaries:
        if summary.ranked and summary.power and summary.throughput:
            key = ((summary.machine, summary.model, summary.cell.mode), summary.row)
            points[key].append((summary.throughput.value, summary.power.value))
    lines = {}
    for key, found in points.items():
        line = stats.regress([x for x, _ in found], [y for _, y in found]) if len(found) >= 3 else None
        if line:
            lines[key] = line
    return lines


def slopes(results: Results) -> list[Finding]:
    """Rank the frameworks of a machine by how much power another image/s takes: the study's criterion."""
    fitted: dict[Scope, list[tuple[str, Line]]] = defaultdict(list)
    for (scope, row), line in regressions(results.summaries).items():
        fitted[scope].append((row, line))
    found = []
    for scope, lines in fitted.items():
        lines.sort(key=lambda pair: pair[1].slope)
        ranked = [_slope(row, line) for row, line in lines if line.r2 >= _LEAST_R2]
        weak = [_slope(row, line) for row, line in lines if line.r2 < _LEAST_R2]
        if len(lines) < 2 or not ranked:
            continue
        text = (
            f"On {where(results, scope)} power rises with throughput over the batch sizes by, in mW per image/s: "
            f"{', '.join(ranked)}; less is better: more speed then costs less power."
        )
        if weak:
            text += f" Not ranked, since throughput says little about power there: {units.listed(weak)}."
        found.append(Finding("slope", text, *scope))
    return found


def _slope(row: str, line: Line) -> str:
    return f"{row} {1e3 * line.slope:+.3g} (R2 {line.r2:.2f})"
