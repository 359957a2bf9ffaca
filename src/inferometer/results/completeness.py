"""Runs that lack planned measurements, in words: without them a winner among what is there reads as the winner of all."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from inferometer.results.cells import CellSummary, Results
from inferometer.storage.run_directory import StoredRun


def unfinished(results: Results, cells: Sequence[CellSummary] | None = None) -> list[str]:
    """Return a line for each run that is not whole: how much is missing, and how to go on.

    Of all runs, or with ``cells`` of those that hold one of them.
    """
    paths = None if cells is None else {path for cell in cells for path in cell.paths}
    runs = [run for run in results.runs if paths is None or run.path in paths]
    return [_line(run) for run in runs if run.missing and run.info.source != "imported"]  # which had no plan


def _line(run: StoredRun) -> str:
    missing, planned = len(run.missing), len(run.planned)
    share = f"{missing:,} of {planned:,} planned measurements (a cell in one round) are missing"
    if missing == planned:
        share = f"nothing was measured yet of {planned:,} planned measurements (a cell in one round)"
    remedy = f": inferometer run --resume {shlex.quote(str(run.path))}" if run.info.request else ""
    return f"incomplete: {share}{remedy}"
