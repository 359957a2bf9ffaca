"""Computed sentences about a set of runs, each with its figures; nothing is claimed inside the noise (pure)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer import stats
from inferometer.hardware import launch_year
from inferometer.metrics import METRICS
from inferometer.ranking import UNKNOWN_NOISE, Standing, standings
from inferometer.stats import Line
from inferometer.summary import CellSummary, Results
from inferometer.units import significant

_NEAR_BEST = 0.95  # a batch size that reaches this share of the best throughput is large enough

Scope = tuple[str, str, str]  # machine, model, mode


@dataclass(frozen=True)
class Finding:
    """A sentence, what kind it is, and where it holds."""

    kind: str  # winner, efficient, slope, machines, batch-size, contradiction, failures
    text: str
    machine: str = ""  # "": about several
    model: str = ""
    mode: str = ""


def findings(results: Results) -> tuple[Finding, ...]:
    """Return every finding that the data carry, by kind, then machine."""
    return tuple(
        finding
        for kind in (winners, efficient, contradictions, slopes, batch_sizes, machines, failures)
        for finding in kind(results)
    )


def _scopes(results: Results) -> dict[Scope, list[CellSummary]]:
    scopes: dict[Scope, list[CellSummary]] = defaultdict(list)
    for summary in results.summaries:
        scopes[summary.machine, summary.model, summary.cell.mode].append(summary)
    return scopes


def _where(results: Results, scope: Scope) -> str:
    """Return a scope in words; model and mode only where there are several."""
    machine, model, mode = scope
    more = [model] if len({s.model for s in results.summaries}) > 1 else []
    more += [f"{mode} mode"] if len({s.cell.mode for s in results.summaries}) > 1 else []
    return f"{machine} ({', '.join(more)})" if more else machine


def _by_size(summaries: Iterable[CellSummary], places: dict[str, Standing]) -> dict[int, list[CellSummary]]:
    """Return the ranked cells of every batch size, best first."""
    sizes: dict[int, list[CellSummary]] = defaultdict(list)
    for summary in summaries:
        if summary.key in places:
            sizes[summary.cell.batch_size].append(summary)
    return {size: sorted(found, key=lambda s: places[s.key].place) for size, found in sorted(sizes.items())}


def margin(first: float, second: float) -> float:
    """Return by what share the better of two positive values is ahead of the other."""
    return max(first, second) / min(first, second) - 1


def winners(results: Results) -> list[Finding]:
    """Say who is fastest at each batch size, by how much, and where that is a tie."""
    places = standings(results.summaries, METRICS["throughput"])
    found = []
    for scope, summaries in _scopes(results).items():
        clear: dict[str, list[tuple[int, float, str]]] = defaultdict(list)
        tied: list[str] = []
        for size, ranked in _by_size(summaries, places).items():
            if len(ranked) < 2:
                continue
            lead = margin(places[ranked[0].key].value, places[ranked[1].key].value)
            if places[ranked[0].key].tie:
                rivals = [s.row for s in ranked[1:] if places[s.key].tie]
                tied.append(f"{size} ({ranked[0].row} and {_listed(rivals)})")
            else:
                clear[ranked[0].row].append((size, lead, ranked[1].row))
        parts = [_won(row, wins) for row, wins in clear.items()]
        if tied:
            parts.append(f"no single winner at batch size {_listed(tied)}")
        if parts:
            found.append(Finding("winner", f"On {_where(results, scope)} {'; '.join(parts)}.", *scope))
    return found


def _won(row: str, wins: list[tuple[int, float, str]]) -> str:
    sizes = _listed([str(size) for size, _, _ in wins])
    least, most = min(wins, key=lambda w: w[1]), max(wins, key=lambda w: w[1])
    if len(wins) == 1:
        return f"{row} is fastest at batch size {sizes}, {_percent(least[1])} ahead of {least[2]}"
    return (
        f"{row} is fastest at batch sizes {sizes}, {_percent(least[1])} (over {least[2]} at {least[0]}) "
        f"to {_percent(most[1])} (over {most[2]} at {most[0]}) ahead"
    )


def efficient(results: Results) -> list[Finding]:
    """Say which cell needs the least energy an image on each machine, and what the fastest needs."""
    metric = METRICS["energy"]
    places = standings(results.summaries, metric)
    found = []
    for scope, summaries in _scopes(results).items():
        ranked = sorted((s for s in summaries if s.key in places), key=lambda s: places[s.key].value)
        if len({s.row for s in ranked}) < 2:
            continue
        best = ranked[0]
        rival = next(s for s in ranked if s.row != best.row)
        ours, theirs = places[best.key].value, places[rival.key].value
        if _near(best, rival):
            lead = f"no clear lead over {_cell(rival)} ({metric.show(theirs)})"
        else:
            lead = f"{_percent(1 - ours / theirs)} less than {_cell(rival)} ({metric.show(theirs)})"
        text = f"On {_where(results, scope)} {_cell(best)} needs the least energy: {metric.show(ours)} an image, {lead}."
        found.append(Finding("efficient", text, *scope))
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _near(best: CellSummary, rival: CellSummary) -> bool:
    """Return whether two cells' energies cannot be told apart: intervals overlap, or too close with none known."""
    ours, theirs = best.energy_image, rival.energy_image
    assert ours and theirs
    if ours.high is not None and theirs.low is not None:
        return ours.high >= theirs.low
    return margin(ours.value, theirs.value) < UNKNOWN_NOISE


def _cell(summary: CellSummary) -> str:
    return f"{summary.row} at batch size {summary.cell.batch_size}"


def contradictions(results: Results) -> list[Finding]:
    """Say where the fastest is not the one with the least energy an image, neither of them by a tie."""
    fast = standings(results.summaries, METRICS["throughput"])
    frugal = standings(results.summaries, METRICS["energy"])
    found = []
    for scope, summaries in _scopes(results).items():
        by_energy = _by_size(summaries, frugal)
        cases = []
        for size, ranked in _by_size(summaries, fast).items():
            quick, thrifty = ranked[0], by_energy.get(size, [None])[0]
            if thrifty is None or quick.row == thrifty.row or quick.key not in frugal:
                continue
            if frugal[quick.key].tie or fast[thrifty.key].tie:
                continue
            saving = 1 - frugal[thrifty.key].value / frugal[quick.key].value
            loss = 1 - fast[thrifty.key].value / fast[quick.key].value
            cases.append((saving, loss, size, quick, thrifty))
        if cases:
            saving, loss, size, quick, thrifty = max(cases, key=lambda c: c[0])
            sizes = _listed([str(c[2]) for c in sorted(cases, key=lambda c: c[2])])
            show = METRICS["energy"].show
            found.append(
                Finding(
                    "contradiction",
                    f"On {_where(results, scope)} the fastest is not the most frugal at batch size {sizes}; the widest gap is at {size}: "
                    f"{quick.row} is fastest, {thrifty.row} needs {_percent(saving)} less energy an image "
                    f"({show(frugal[thrifty.key].value)} against {show(frugal[quick.key].value)}) at {_percent(loss)} less throughput.",
                    *scope,
                )
            )
    return found


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
    """Rank the frameworks of a machine by how much power another image/s takes: the report's criterion."""
    scopes: dict[Scope, list[tuple[str, Line]]] = defaultdict(list)
    for (scope, row), line in regressions(results.summaries).items():
        scopes[scope].append((row, line))
    found = []
    for scope, lines in scopes.items():
        if len(lines) < 2:
            continue
        lines.sort(key=lambda pair: pair[1].slope)
        words = [f"{row} {1e3 * line.slope:+.3g} (R2 {line.r2:.2f})" for row, line in lines]
        weak = [row for row, line in lines if line.r2 < 0.5]
        caution = (
            f" R2 is below 0.5 for {_listed(weak)}: there throughput says little about power." if weak else ""
        )
        found.append(
            Finding(
                "slope",
                f"On {_where(results, scope)} power rises with throughput over the batch sizes by, in mW per image/s: "
                f"{', '.join(words)}; less is better by the report's criterion.{caution}",
                *scope,
            )
        )
    return found


def batch_sizes(results: Results) -> list[Finding]:
    """Say from which batch size on a larger one gains no more than 5 %, and where it loses."""
    found = []
    for scope, summaries in _scopes(results).items():
        rows: dict[str, dict[int, float]] = defaultdict(dict)
        for s in summaries:
            if s.ranked and s.throughput:
                rows[s.row][s.cell.batch_size] = s.throughput.value
        rows = {row: values for row, values in rows.items() if len(values) > 2}
        if not rows:
            continue
        enough = {
            row: min(b for b, v in values.items() if v >= _NEAR_BEST * max(values.values()))
            for row, values in rows.items()
        }
        text = (
            f"On {_where(results, scope)} {100 * _NEAR_BEST:.0f} % of a framework's best throughput is reached at batch size "
            + ", ".join(
                f"{size} ({_listed([r for r in enough if enough[r] == size])})"
                for size in sorted(set(enough.values()))
            )
        )
        falls = [f for row, values in rows.items() if (f := _fall(row, values))]
        text += f"; larger batches lose with {_listed(falls)}." if falls else "."
        found.append(Finding("batch-size", text, *scope))
    return found


def _fall(row: str, values: dict[int, float]) -> str:
    """Return how a row falls from its best to its largest batch size, if by more than 5 %."""
    best = max(values, key=values.__getitem__)
    last = max(values)
    fall = 1 - values[last] / values[best]
    return (
        f"{row} (-{100 * fall:.0f} % from {best} to {last})" if best != last and fall > 1 - _NEAR_BEST else ""
    )


def machines(results: Results) -> list[Finding]:
    """Compare newer with older GPUs over the cells both have: geometric means and how often each is ahead."""
    dated = [(year, m) for m in results.machines if (year := _year(results, m))]
    found = []
    for index, (year, newer) in enumerate(sorted(dated, reverse=True)):
        for older_year, older in sorted(dated, reverse=True)[index + 1 :]:
            if older_year != year:
                text = _against(results, newer, older)
                if text:
                    found.append(
                        Finding("machines", f"{newer} ({year}) against {older} ({older_year}): {text}.")
                    )
    return found


def _year(results: Results, machine: str) -> int | None:
    gpus = results.machines[machine].gpus
    return launch_year(machine) or next((year for gpu in gpus if (year := launch_year(gpu.name))), None)


def _against(results: Results, newer: str, older: str) -> str:
    parts = []
    for name, words in (
        ("throughput", "the throughput"),
        ("power", "the power"),
        ("energy", "the energy an image"),
    ):
        metric = METRICS[name]
        ratios = _ratios(results, newer, older, name)
        if ratios:
            mean = math.exp(float(np.mean(np.log(ratios))))
            ahead = sum(metric.better(r, 1.0) for r in ratios)
            parts.append(
                f"{significant(mean, 3)} x {words} (better in {ahead} of {len(ratios)} common cells)"
            )
    return ", ".join(parts)


def _ratios(results: Results, newer: str, older: str, name: str) -> list[float]:
    metric = METRICS[name]
    values: dict[tuple[str, str, str, int], dict[str, float]] = defaultdict(dict)
    for s in results.summaries:
        estimate = metric.of(s) if s.ranked else None
        if estimate:
            values[s.model, s.cell.mode, s.row, s.cell.batch_size][s.machine] = estimate.value
    return [found[newer] / found[older] for found in values.values() if newer in found and older in found]


def failures(results: Results) -> list[Finding]:
    """Count the cells without a figure, by what became of them."""
    found = []
    for scope, summaries in _scopes(results).items():
        bad: dict[str, list[CellSummary]] = defaultdict(list)
        for summary in summaries:
            if summary.status != "ok":
                bad[summary.status].append(summary)
        if bad:
            counts = _listed([f"{len(cells)} {status}" for status, cells in bad.items()])
            total = sum(map(len, bad.values()))
            found.append(
                Finding(
                    "failures",
                    f"On {_where(results, scope)} {total} of {len(summaries)} cells have no figure: {counts}.",
                    *scope,
                )
            )
    return found


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)
