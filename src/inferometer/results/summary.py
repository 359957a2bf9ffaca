"""What a set of runs says about each cell: one `CellSummary` a cell and machine, pooled over rounds and runs.

    results = summarise([read_run(path) for path in paths])
    for summary in results.summaries:
        estimate = METRICS["throughput"].of(summary)

A summary carries its own name, unit, interval and source, so that no printer needs to know a metric. All of it is
derived on reading; `docs/statistics.md` gives the methods.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from inferometer.records import Machine
from inferometer.results import accuracy, doubts, estimates, pooling
from inferometer.results.accuracy import Accuracy
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import THROUGHPUT
from inferometer.results.pooling import Located
from inferometer.results.ranking import rank_cells
from inferometer.storage.collector import no_collection
from inferometer.storage.run_directory import StoredRun

_AT_ONCE = 32  # cells whose records are in memory together: more of them fit no cache of a processor


def summarise(runs: Sequence[StoredRun]) -> Results:
    """Pool the runs' records per cell and machine, estimate every metric, and mark the best and its ties."""
    known = accuracy.of_runs(runs)
    with no_collection():
        located, machines = pooling.locate(runs)
        summaries = [_evaluated(summary, known, runs) for summary in summaries_of(located)]
        return ranked(summaries, runs, machines)


def summaries_of(located: Iterable[Located]) -> Iterator[CellSummary]:
    """Yield the summaries of cells, not ranked yet, and without what they answered to the user's own data."""
    pools = map(pooling.pool, located)
    while several := list(itertools.islice(pools, _AT_ONCE)):
        found = estimates.estimate_all((pool.good, pool.place.cell) for pool in several)
        yield from map(_summary, several, found)


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


def _summary(entry: pooling.Pool, values: dict[str, Any]) -> CellSummary:
    place = entry.place
    return CellSummary(
        key=place.key,
        cell=place.cell,
        row=place.row,
        machine=place.machine,
        model=place.model,
        model_hash=place.model_hash,
        paths=place.paths,
        status=entry.status,
        cause=entry.cause,
        flags=(*entry.flags, *doubts.of(entry.good, values.get("series", {}).get("throughput"))),
        log=entry.log,
        records=place.records,
        keys=place.rounds,
        **values,
    )
