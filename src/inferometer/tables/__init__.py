"""Tables of any metric: as data, for the terminal, and as CSV, JSON, Markdown, HTML and LaTeX."""

from __future__ import annotations

from inferometer.tables.data import long_rows, to_csv, to_json
from inferometer.tables.markup import to_html, to_latex, to_markdown
from inferometer.tables.model import Table, TableCell, TableRow, build, machine_named, metric_named
from inferometer.tables.palette import PALETTES, colour

__all__ = [
    "PALETTES",
    "Table",
    "TableCell",
    "TableRow",
    "build",
    "colour",
    "long_rows",
    "machine_named",
    "metric_named",
    "to_csv",
    "to_html",
    "to_json",
    "to_latex",
    "to_markdown",
]
