"""Runs that lack planned measurements, in words: without them a winner among what is there reads as the winner of all."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from inferometer import units
from inferometer.records import STILL_MISSING, Cell
from inferometer.results.cells import CellSummary, Results
from inferometer.storage.run_directory import StoredRun


def unfinished(results: Results, cells: Sequence[CellSummary] | None = None) -> list[str]:
    """Return a line for each run that is not whole: how much is missing, and how to go on.

    Of all runs, or with ``cells`` of those that hold one of them.
    """
    paths = None if cells is None else {path for cell in cells for path in cell.paths}
    ours = [run for run in _planned_runs(results) if paths is None or run.path in paths]
    return [
        line
        for run in ours
        for line in (*([_line(run)] if run.missing else []), *_not_evaluated(run), *_stopped_under_load(run))
    ]


def cut_short(results: Results) -> list[str]:
    """Return a line for each run that has fewer rounds than were asked for, since its time limit cut them."""
    return list(dict.fromkeys(_cut(run) for run in _planned_runs(results) if _is_cut(run)))


def _is_cut(run: StoredRun) -> bool:
    protocol = run.info.protocol
    return bool(protocol.time_limit_s) and protocol.rounds < run.info.asked_rounds and not run.info.merged


def _cut(run: StoredRun) -> str:
    protocol = run.info.protocol
    return (
        f"{protocol.rounds} of {units.counted(run.info.asked_rounds, 'round')}: another would not have fitted the time limit of "
        f"{units.duration(protocol.time_limit_s)}; more firm the figures up: --time-limit 0, or more seconds"
    )


def _not_evaluated(run: StoredRun) -> list[str]:
    """Return a line where rows of a whole run have not answered its data set: it was stopped then."""
    if run.info.dataset is None or run.info.merged or run.missing:
        return []
    measured = {(r.cell.framework, r.cell.precision, r.cell.device) for r in run.records if r.status == "ok"}
    ended = {
        (e.cell.framework, e.cell.precision, e.cell.device)
        for e in run.evaluations
        if e.status not in STILL_MISSING
    }
    missing = len(measured - ended)
    return (
        [f"incomplete: {missing} of {len(measured)} rows have no accuracy yet: {resume_command(run)}"]
        if missing
        else []
    )


def _stopped_under_load(run: StoredRun) -> list[str]:
    """Return a line where scenarios of a run were stopped and not run again."""
    if run.info.merged:
        return []
    last = {(r.cell, r.round, r.scenario, r.batching, r.bound_s): r.status for r in run.scenarios}
    stopped = sum(status in STILL_MISSING for status in last.values())
    named = units.counted(stopped, "result")
    return (
        [f"incomplete: {named} under load stopped before the end: {resume_command(run)}"] if stopped else []
    )


def _planned_runs(results: Results) -> list[StoredRun]:
    return [run for run in results.runs if run.info.source != "imported"]  # which had no plan


def _line(run: StoredRun) -> str:
    remedy = f": {resume_command(run)}" if run.info.request else ""
    return f"incomplete: {_share(len(run.missing), len(run.planned))}{remedy}"


def _share(missing: int, planned: int) -> str:
    of = units.counted(planned, "planned measurement")
    if missing == planned:
        return f"nothing was measured yet of {of} (a cell in one round)"
    return f"{missing:,} of {of} (a cell in one round) {'is' if missing == 1 else 'are'} missing"


def resume_command(run: StoredRun) -> str:
    """Return the command that goes on with a run."""
    return f"inferometer run --resume {shlex.quote(str(run.path))}"


@dataclass(frozen=True)
class Gap:
    """What some cells of a run (one machine, model and mode) lack of their plan."""

    run: StoredRun
    missing: int  # measurements: a cell in one round
    planned: int
    unmeasured: tuple[Cell, ...]  # cells without any record that ended well or failed

    @property
    def words(self) -> str:
        """Return how much is missing."""
        return _share(self.missing, self.planned)


def gaps(results: Results, cells: Sequence[CellSummary]) -> tuple[Gap, ...]:
    """Return what is missing of the plans that ``cells``, all of one machine, model and mode, are part of."""
    kinds = {(path, c.cell.model, c.cell.device, c.cell.mode) for c in cells for path in c.paths}
    found = []
    for run in _planned_runs(results):
        if not run.missing or not any(kind[0] == run.path for kind in kinds):
            continue
        ours = [p for p in run.planned if (run.path, p[0].model, p[0].device, p[0].mode) in kinds]
        absent = set(run.missing)
        missing = [pair for pair in ours if pair in absent]
        if missing:
            ended = {pair[0] for pair in ours if pair not in absent}
            cells_left = dict.fromkeys(cell for cell, _ in missing if cell not in ended)
            found.append(Gap(run, len(missing), len(ours), tuple(cells_left)))
    return tuple(found)
