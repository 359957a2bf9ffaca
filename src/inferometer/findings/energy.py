"""Findings about energy: the most frugal cell, and where the fastest is not it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer import units
from inferometer.findings.finding import (
    ONE_PROCESS,
    Finding,
    at_sizes,
    by_size,
    percent,
    unmeasured_sizes,
    where,
)
from inferometer.results.cells import CellSummary, Results
from inferometer.results.judging import Judge, Judgement, lead
from inferometer.results.metrics import ENERGY, THROUGHPUT
from inferometer.results.ranking import of_one_meter


def efficient(results: Results) -> list[Finding]:
    """Say which cell needs the least energy an image on each machine, if the data tell."""
    judge = Judge.of(results, ENERGY)
    found = []
    for scope, summaries in results.scopes.items():
        ranked = judge.ranked(of_one_meter(summaries, ENERGY))
        if len({s.row for s in ranked}) < 2 or unmeasured_sizes(results, summaries):
            continue
        text, tests = _least(ranked, judge)
        found.append(Finding("efficient", f"On {where(results, scope)} {text}.", *scope, tests))
    return found


def _least(ranked: Sequence[CellSummary], judge: Judge) -> tuple[str, tuple[Judgement, ...]]:
    best, ahead = ranked[0], lead(ranked, judge)
    assert ahead
    ours, theirs = judge.value(best), judge.value(ahead.rival)
    rival = f"{ahead.rival.name} ({ENERGY.show(theirs)})"
    if ahead.judgement.told:
        text = f"needs the least energy: {ENERGY.show(ours)} an image, {percent(1 - ours / theirs)} less than {rival}"
        return f"{_cell_or_alike(ranked, judge)} {text}", (ahead.judgement,)
    figure = f"{best.name} has the lowest figure of energy, {ENERGY.show(ours)} an image"
    if ahead.judgement.open:
        return f"{figure}, but no clear lead over {rival}", ()
    return f"{figure}; not judged against {rival}, since {ONE_PROCESS}", ()


def _cell_or_alike(ranked: Sequence[CellSummary], judge: Judge) -> str:
    """Return the best cell, with the batch sizes of its row that the data cannot tell from its own."""
    best = ranked[0]
    alike = [s for s in ranked[1:] if s.row == best.row and not judge.judge(best, s).told]
    sizes = units.listed([str(s.cell.batch_size) for s in alike])
    return f"{best.name} (or {sizes}, as far as the data tell)" if alike else best.name


@dataclass(frozen=True)
class _Case:
    """A batch size at which one row is fastest and another needs least energy."""

    size: int
    quick: CellSummary
    thrifty: CellSummary
    saving: float
    loss: float
    tests: tuple[Judgement, ...]


def contradictions(results: Results) -> list[Finding]:
    """Say where the fastest is not the one with the least energy an image, neither of them by a tie."""
    speed, energy = Judge.of(results, THROUGHPUT), Judge.of(results, ENERGY)
    found = []
    for scope, summaries in results.scopes.items():
        open_ = unmeasured_sizes(results, summaries)
        by_speed, by_energy = by_size(summaries, speed), by_size(summaries, energy)
        sizes = [size for size in by_speed if size in by_energy and size not in open_]
        cases = [c for n in sizes if (c := _case(by_speed[n], by_energy[n], speed, energy))]
        if cases:
            widest = max(cases, key=lambda c: c.saving)
            tests = tuple(test for case in cases for test in case.tests)
            text = f"On {where(results, scope)} {_told(cases, widest, energy)}"
            found.append(Finding("contradiction", text, *scope, tests))
    return found


def _case(fast: list[CellSummary], frugal: list[CellSummary], speed: Judge, energy: Judge) -> _Case | None:
    quick, thrifty = fast[0], frugal[0]
    if (
        quick.row == thrifty.row
        or quick.meter != thrifty.meter
        or not speed.knows(thrifty)
        or not energy.knows(quick)
    ):
        return None
    faster = [speed.judge(quick, other) for other in fast[1:]]
    less = energy.judge(thrifty, quick)
    if not (less.told and all(found.told for found in faster)):
        return None
    saving = 1 - energy.value(thrifty) / energy.value(quick)
    loss = 1 - speed.value(thrifty) / speed.value(quick)
    return _Case(quick.cell.batch_size, quick, thrifty, saving, loss, (speed.judge(quick, thrifty), less))


def _told(cases: Sequence[_Case], widest: _Case, energy: Judge) -> str:
    show, value = ENERGY.show, energy.value
    return (
        f"the fastest is not the most frugal at {at_sizes([str(c.size) for c in cases])}; the widest gap is at {widest.size}: "
        f"{widest.quick.row} is fastest, {widest.thrifty.row} needs {percent(widest.saving)} less energy an image "
        f"({show(value(widest.thrifty))} against {show(value(widest.quick))}) at {percent(widest.loss)} less throughput."
    )
