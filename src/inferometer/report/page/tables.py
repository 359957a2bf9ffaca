"""The report's tables, made ready for the page: which metrics, which rows, and a shade of eleven for every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inferometer import tables
from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.palette import Palette
from inferometer.results.cells import Results
from inferometer.results.metrics import Metric, Place, metrics_in
from inferometer.tables import Table, TableCell

SHADES = 10


class CellView(msgspec.Struct, frozen=True, gc=False):
    """One place of a table: a number with its marks, or why there is none."""

    text: str
    spread: str
    shade: int | None
    mark: str  # one sign, or empty
    meaning: str  # the sign in words
    bold: bool
    star: bool
    note: str  # numbers of footnotes
    key: str  # of the cell


class RowView(msgspec.Struct, frozen=True, gc=False):
    """One framework at one precision."""

    index: int
    label: str
    cells: tuple[CellView | None, ...]


@dataclass(frozen=True)
class TableView:
    """A metric's table, its rows grouped by batch size."""

    anchor: str
    title: str
    unit: str
    machines: tuple[str, ...]
    reference: str
    groups: tuple[tuple[int, tuple[RowView, ...]], ...]
    notes: tuple[str, ...]
    within: bool  # every interval is one within a process
    better: str


def grids(
    results: Results, palette: Palette, reference: str | None = None
) -> dict[tuple[str, str], list[TableView]]:
    """Return the tables of every section, those of a metric without any value left out."""
    found: dict[tuple[str, str], list[TableView]] = {section: [] for section in results.sections}
    for metric in metrics_in(Place.PAGE):
        for table in tables.build(results, metric, reference):
            if not table.is_empty:
                number = results.sections.index((table.model, table.mode))
                found[table.model, table.mode].append(_view(table, f"s{number}-table-{metric.name}", palette))
    return found


def absent(views: Sequence[TableView]) -> tuple[str, ...]:
    """Return the titles of the metrics that have no value at all in a section."""
    shown = {view.title for view in views}
    missing = [metric for metric in metrics_in(Place.PAGE) if metric.title not in shown]
    return tuple(metric.title for metric in missing if not metric.asked_for)


def _view(table: Table, anchor: str, palette: Palette) -> TableView:
    groups: dict[int, list[RowView]] = {}
    for row in table.rows:
        summary = next(cell.summary for cell in row.cells if cell)
        cells = tuple(None if cell is None else _cell(cell) for cell in row.cells)
        groups.setdefault(row.batch_size, []).append(
            RowView(palette.index(framework_label(summary)), row.label, cells)
        )
    return TableView(
        anchor,
        table.metric.title,
        table.scale.unit,
        table.machines,
        table.reference or "",
        tuple((size, tuple(rows)) for size, rows in groups.items()),
        table.notes,
        table.within,
        _better(table.metric),
    )


def _better(metric: Metric) -> str:
    return "more is better" if metric.higher_is_better else "less is better"


def _cell(cell: TableCell) -> CellView:
    mark, meaning = "", ""
    if cell.best:
        mark, meaning = "▲", "best of its batch size" + (", tied with others" if cell.tie else "")
    elif cell.tie:
        mark, meaning = "≈", "tie with the best of its batch size"
    shade = None if cell.shade is None else round(cell.shade * SHADES)
    return CellView(
        cell.text,
        cell.spread,
        shade,
        mark,
        meaning,
        cell.best_overall,
        cell.beats_reference,
        cell.note,
        cell.summary.key,
    )
