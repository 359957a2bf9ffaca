"""Which framework gives a series its colour, and how many series are legible in one figure."""

from __future__ import annotations

import functools

from inferometer.report.figures.palette import Palette
from inferometer.results.cells import CellSummary, Results

LEGIBLE_SERIES = 24  # figures start with one precision where there would be more lines than this


def framework_label(summary: CellSummary) -> str:
    """Return the framework (with its version where two are compared) that gives a series its colour."""
    return _without(summary.row, summary.cell.precision)


@functools.lru_cache(maxsize=1 << 14)  # of as few as a page has rows, asked for every cell of every table
def _without(row: str, precision: str) -> str:
    return row.removesuffix(f" {precision}")


def palette_of(results: Results) -> Palette:
    """Return one look per framework of these results; those that were measured have the first pick of the colours."""
    measured = {framework_label(summary) for summary in results.summaries if summary.measured}
    return Palette(measured, (framework_label(summary) for summary in results.summaries))
