"""Findings about energy: the most frugal cell, and where the fastest is not it."""

from __future__ import annotations

from inferometer.findings.finding import Finding, at_sizes, by_size, percent, scopes, where
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import METRICS
from inferometer.results.ranking import TieTest, of_one_meter, rank_cells

NOT_JUDGED = ", not judged for lack of a second process"


def efficient(results: Results) -> list[Finding]:
    """Say which cell needs the least energy an image on each machine, and what the fastest needs."""
    metric = METRICS["energy"]
    places, rivals = rank_cells(results.summaries, metric), TieTest(results.summaries, metric)
    found = []
    for scope, summaries in scopes(results).items():
        metered = of_one_meter([s for s in summaries if s.key in places], metric)
        ranked = sorted(metered, key=lambda s: places[s.key].value)
        if len({s.row for s in ranked}) < 2:
            continue
        best = ranked[0]
        others = [s for s in ranked if s.row != best.row]
        tied = rivals.ties(best, others, lambda cell: cell.row)
        rival = next(iter((*tied, *others)))
        ours, theirs = places[best.key].value, places[rival.key].value
        if tied:
            lead = f"no clear lead over {_cell(rival)} ({metric.show(theirs)})"
        else:
            lead = f"{percent(1 - ours / theirs)} less than {_cell(rival)} ({metric.show(theirs)})"
            lead += "" if rivals.judged(best, rival) else NOT_JUDGED
        text = f"On {where(results, scope)} {_cell(best)} needs the least energy: {metric.show(ours)} an image, {lead}."
        found.append(Finding("efficient", text, *scope))
    return found


def _cell(summary: CellSummary) -> str:
    return f"{summary.row} at batch size {summary.cell.batch_size}"


def contradictions(results: Results) -> list[Finding]:
    """Say where the fastest is not the one with the least energy an image, neither of them by a tie."""
    fast = rank_cells(results.summaries, METRICS["throughput"])
    frugal = rank_cells(results.summaries, METRICS["energy"])
    found = []
    for scope, summaries in scopes(results).items():
        by_energy = by_size(summaries, frugal)
        cases = []
        for size, ranked in by_size(summaries, fast).items():
            quick, thrifty = ranked[0], by_energy.get(size, [None])[0]
            if thrifty is None or quick.row == thrifty.row or quick.key not in frugal:
                continue
            if frugal[quick.key].tie or fast[thrifty.key].tie or quick.meter != thrifty.meter:
                continue
            saving = 1 - frugal[thrifty.key].value / frugal[quick.key].value
            loss = 1 - fast[thrifty.key].value / fast[quick.key].value
            cases.append((saving, loss, size, quick, thrifty))
        if cases:
            saving, loss, size, quick, thrifty = max(cases, key=lambda c: c[0])
            sizes = at_sizes([str(c[2]) for c in sorted(cases, key=lambda c: c[2])])
            show = METRICS["energy"].show
            judged = frugal[quick.key].judged and fast[thrifty.key].judged
            caveat = "" if judged else NOT_JUDGED
            found.append(
                Finding(
                    "contradiction",
                    f"On {where(results, scope)} the fastest is not the most frugal at {sizes}; the widest gap is at {size}: "
                    f"{quick.row} is fastest, {thrifty.row} needs {percent(saving)} less energy an image "
                    f"({show(frugal[thrifty.key].value)} against {show(frugal[quick.key].value)}) at {percent(loss)} less throughput{caveat}.",
                    *scope,
                )
            )
    return found
