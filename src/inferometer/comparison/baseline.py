"""The runs of a folder that a new run is held against: the last ones of the same thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from inferometer.errors import StoreError, UsageError
from inferometer.records import Cell, RunInfo
from inferometer.results.cells import CellSummary, Results
from inferometer.storage.find import find_runs
from inferometer.storage.merge import mark_of
from inferometer.storage.run_directory import StoredRun, read_info, read_run

LAST = 10  # runs that a new one is held against, unless told otherwise


class Dated(NamedTuple):
    """A run directory and what its run.json says."""

    path: Path
    info: RunInfo


def same_thing(info: RunInfo) -> tuple[object, ...]:
    """Return what two runs must have in common for one to be the other's history: hardware, its share, and the model."""
    machine = info.machine
    return machine.fingerprint, machine.usable_cores, info.model.name, info.model.hash


def dated_runs(folder: Path, notice: Callable[[str], None]) -> list[Dated]:
    """Return the runs below a folder, the oldest first; ``notice`` is told of damaged ones. UsageError without a folder."""
    if not folder.exists():
        raise UsageError(f"{folder} does not exist")
    found = []
    for path in find_runs(folder, notice=notice):
        try:
            found.append(Dated(path, read_info(path)))
        except StoreError as error:
            notice(f"left out: {error}")
    return sorted(found, key=lambda run: (run.info.created_at, str(run.path)))


def read_dated(runs: Sequence[Dated], notice: Callable[[str], None]) -> list[StoredRun]:
    """Read runs; ``notice`` is told of damaged ones."""
    found = []
    for run in runs:
        try:
            found.append(read_run(run.path))
        except StoreError as error:
            notice(f"left out: {error}")
    return found


def before(runs: Sequence[Dated], new: StoredRun, last: int) -> list[Dated]:
    """Return the ``last`` of ``runs`` that are older than a run and measured the same model on the same hardware."""
    own, kind, at = new.path.resolve(), same_thing(new.info), new.info.created_at
    older = [run for run in runs if same_thing(run.info) == kind and run.path.resolve() != own]
    return [run for run in older if not at or run.info.created_at <= at][-last:]


def without_pools(
    runs: Sequence[StoredRun], notice: Callable[[str], None], beside: StoredRun | None = None
) -> list[StoredRun]:
    """Return the runs without those that were merged of others which are here too, or of ``beside``: they are no runs of their own."""
    if not any(run.info.merged for run in runs):
        return list(runs)
    own = [run for run in (*runs, *([beside] if beside else [])) if not run.info.merged]
    known = {mark for run in own for mark in _marks(run)}
    kept = []
    for run in runs:
        if run.info.merged and known & _marks(run):
            notice(f"left out: {run.path} was merged of runs that are here too")
        else:
            kept.append(run)
    return kept


def _marks(run: StoredRun) -> set[tuple[object, ...]]:
    return {mark_of(record) for record in run.records if record.loops or record.published}


def newest_of_each(results: Results) -> Results:
    """Return the results with each cell once, in the framework's version that the last of the runs has.

    A cell that was measured with several versions has a pool for each, and they are not of the same thing.
    """
    order = {run.path: place for place, run in enumerate(results.runs)}
    newest: dict[tuple[str, str, Cell], tuple[int, CellSummary]] = {}
    for summary in results.summaries:
        key = summary.machine, summary.model, summary.cell
        place = max(order.get(path, 0) for path in summary.paths)
        if key not in newest or place >= newest[key][0]:
            newest[key] = place, summary
    kept = {summary for _, summary in newest.values()}
    return replace(results, summaries=tuple(s for s in results.summaries if s in kept))
