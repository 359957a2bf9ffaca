"""The report's tables, made ready for the page: which metrics, which rows, and a shade of eleven for every cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from inferometer import tables
from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.palette import Palette
from inferometer.report.page.grid_rows import row_html
from inferometer.results.cells import Results
from inferometer.results.metrics import METRICS, Metric, Place, metrics_in
from inferometer.tables import Table


class TableView(msgspec.Struct, frozen=True, gc=False):
    """A metric's table, its rows grouped by batch size."""

    anchor: str
    title: str
    unit: str
    machines: tuple[str, ...]
    reference: str
    groups: tuple[tuple[int, str], ...]  # batch size, and its rows as HTML, a line each
    notes: tuple[str, ...]
    within: bool  # every interval is one within a process
    better: str


Views = dict[int, TableView]  # of one metric, by the place of their section; those without any value left out


def names() -> list[str]:
    """Return the metrics of the page that may have a table, in their order."""
    return [metric.name for metric in metrics_in(Place.PAGE)]


def views_of(name: str, results: Results, palette: Palette, reference: str | None = None) -> Views:
    """Return the tables of a metric."""
    found = tables.build(results, METRICS[name], reference)
    return {
        number: _view(table, f"s{number}-table-{name}", palette)
        for number, table in enumerate(found)
        if not table.is_empty
    }


def by_section(results: Results, views: Mapping[str, Views]) -> list[list[TableView]]:
    """Return the tables of every section, of the views of each metric by its name."""
    found: dict[int, list[TableView]] = defaultdict(list)
    for name in names():
        for number, view in views[name].items():
            found[number].append(view)
    return [found[number] for number in range(len(results.sections))]


def absent(views: Sequence[TableView]) -> tuple[str, ...]:
    """Return the titles of the metrics that have no value at all in a section."""
    shown = {view.title for view in views}
    missing = [metric for metric in metrics_in(Place.PAGE) if metric.title not in shown]
    return tuple(metric.title for metric in missing if not metric.asked_for)


def _view(table: Table, anchor: str, palette: Palette) -> TableView:
    groups: dict[int, list[str]] = {}
    for row in table.rows:
        summary = next(cell.summary for cell in row.cells if cell)
        index = palette.index(framework_label(summary))
        groups.setdefault(row.batch_size, []).append(row_html(index, row.label, row.cells))
    return TableView(
        anchor,
        table.metric.title,
        table.scale.unit,
        table.machines,
        table.reference or "",
        tuple((size, "\n".join(rows)) for size, rows in groups.items()),
        table.notes,
        table.within,
        _better(table.metric),
    )


def _better(metric: Metric) -> str:
    return "more is better" if metric.higher_is_better else "less is better"
