"""A row of the report's tables as HTML: of so many cells that a template would take most of the page's time."""

from __future__ import annotations

import functools

from markupsafe import Markup, escape

from inferometer.report.page.tables import CellView, RowView


def row_html(row: RowView) -> Markup:
    """Return a row with its heading, every text in it escaped."""
    cells = "".join([_cell(cell) for cell in row.cells])
    return Markup(f'<tr data-f="{row.index}"><th scope="row">{_escaped(row.label)}</th>{cells}</tr>')


def _cell(cell: CellView | None) -> str:
    if cell is None:
        return "<td></td>"
    note = f"<sup>{_escaped(cell.note)}</sup>" if cell.note else ""
    text = _escaped(cell.text)
    if cell.shade is None:
        return f'<td class="none" data-cell="{_escaped(cell.key)}">{text}{note}</td>'
    mark = f'<abbr title="{_escaped(cell.meaning)}">{_escaped(cell.mark)}</abbr> ' if cell.mark else ""
    star, text = "*" if cell.star else "", f"<b>{text}</b>" if cell.bold else text
    small = f" <small>{_escaped(cell.spread)}</small>"
    return f'<td class="s{cell.shade}" data-cell="{_escaped(cell.key)}">{mark}{star}{text}{note}{small}</td>'


@functools.lru_cache(maxsize=1 << 16)  # a cell's key comes in every table, and few numbers are alone
def _escaped(text: str) -> str:
    return str(escape(text))
