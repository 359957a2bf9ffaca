"""What a set of runs says about each cell: one `CellSummary` a cell and machine, pooled over rounds and runs.

    results = summarise([read_run(path) for path in paths])
    for summary in results.summaries:
        estimate = METRICS["throughput"].of(summary)

A summary carries its own name, unit, interval and source, so that no printer needs to know a metric. All of it is
derived on reading; `docs/statistics.md` gives the methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from inferometer.records import Machine
from inferometer.results import accuracy, doubts, estimates, pooling
from inferometer.results.accuracy import Accuracy
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import THROUGHPUT
from inferometer.results.ranking import rank_cells
from inferometer.storage.collector import no_collection
from inferometer.storage.run_directory import StoredRun


def summarise(runs: Sequence[StoredRun]) -> Results:
    """Pool the runs' records per cell and machine, estimate every metric, and mark the best and its ties."""
    known = accuracy.of_runs(runs)
    machines: dict[str, Machine] = {}
    summaries: list[CellSummary] = []
    with no_collection():
        for entry in pooling.pool(runs):
            machines.setdefault(entry.machine, entry.hardware)
            summaries.append(_evaluated(_summarise(entry), known, runs))
        return ranked(summaries, runs, machines)


def summaries_of(run: StoredRun, part: int, parts: int) -> list[CellSummary]:
    """Return the summaries of every so many-th cell of one run without a data set, not ranked yet."""
    return [_summarise(entry) for entry in pooling.pool([run], part, parts)]


def ranked(
    summaries: Sequence[CellSummary], runs: Sequence[StoredRun], machines: dict[str, Machine]
) -> Results:
    """Return summaries as results: the best and its ties are marked."""
    places = rank_cells(summaries, THROUGHPUT)
    marked = tuple(
        replace(s, best=p.best, tie=p.tie, judged=p.judged, best_overall=p.best_overall)
        if (p := places.get(s.key))
        else s
        for s in summaries
    )
    return Results(marked, tuple(runs), machines)


def _evaluated(
    summary: CellSummary, known: Mapping[accuracy.Key, Accuracy], runs: Sequence[StoredRun]
) -> CellSummary:
    """Return a summary with what its row answered to the user's own data, in the first of its runs that tells."""
    cell = summary.cell
    row = (cell.framework, cell.precision, cell.device)
    found = next((known[path, *row] for path in summary.paths if (path, *row) in known), None)
    if found:
        return replace(summary, accuracy=found.top1, evaluated=found)
    failed = [
        f"{e.status}: {e.cause}"
        for run in runs
        if run.path in summary.paths
        for e in run.evaluations
        if (e.cell.framework, e.cell.precision, e.cell.device) == row and e.status != "ok"
    ]
    return replace(summary, not_evaluated=failed[-1]) if failed else summary


def _summarise(entry: pooling.Pool) -> CellSummary:
    values = estimates.estimate(entry.good, entry.cell)
    return CellSummary(
        key=entry.key,
        cell=entry.cell,
        row=entry.row,
        machine=entry.machine,
        model=entry.model,
        model_hash=entry.model_hash,
        paths=entry.paths,
        status=entry.status,
        cause=entry.cause,
        flags=(*entry.flags, *doubts.of(entry.good, values.get("series", {}).get("throughput"))),
        log=entry.log,
        records=entry.records,
        **values,
    )
