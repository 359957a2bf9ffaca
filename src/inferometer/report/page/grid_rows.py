"""A row of the report's tables as HTML: of so many cells that a template would take most of the page's time."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from markupsafe import escape

from inferometer.tables import TableCell

SHADES = 10


def row_html(index: int, label: str, cells: Sequence[TableCell | None]) -> str:
    """Return a row with its heading, every text in it escaped; ``index``: of the framework's colour."""
    places = "".join([_cell(cell) for cell in cells])
    return f'<tr data-f="{index}"><th scope="row">{_escaped(label)}</th>{places}</tr>'


def _cell(cell: TableCell | None) -> str:
    if cell is None:
        return "<td></td>"
    note = f"<sup>{cell.note}</sup>" if cell.notes else ""
    key, text = _escaped(cell.summary.key), _escaped(cell.text)
    if cell.shade is None:
        return f'<td class="none" data-cell="{key}">{text}{note}</td>'
    star, text = "*" if cell.beats_reference else "", f"<b>{text}</b>" if cell.best_overall else text
    small = f" <small>{_escaped(cell.spread)}</small>"
    shade = round(cell.shade * SHADES)
    return f'<td class="s{shade}" data-cell="{key}">{_mark(cell)}{star}{text}{note}{small}</td>'


def _mark(cell: TableCell) -> str:
    """Return a sign with its meaning, "" for a cell without one."""
    if cell.best:
        doubt = ", tied with others" if cell.tie else "" if cell.judged else ", not judged against all others"
        meaning = f"best of its batch size{doubt}"
        return f'<abbr title="{meaning}">▲</abbr> '
    return '<abbr title="tie with the best of its batch size">≈</abbr> ' if cell.tie else ""


@functools.lru_cache(maxsize=1 << 16)  # a cell's key comes in every table, and few numbers are alone
def _escaped(text: str) -> str:
    return str(escape(text))
