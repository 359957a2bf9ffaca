"""A table for the terminal; colours only where the terminal and its user want them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table as Columns
from rich.text import Text

from inferometer.tables.grid import Grid
from inferometer.tables.model import Table, TableCell
from inferometer.tables.note import not_judged
from inferometer.tables.palette import ansi_style, colour

MARKS = {"overall": "★", "best": "▲", "tie": "≈"}
WITHIN = ", from a single process: another one may differ by more; add rounds to know"
ASCII = {"overall": "#", "best": "^", "tie": "~"}


def to_text(
    table: Table,
    *,
    signs: bool = True,
    palette: str = "study",
    intervals: bool = True,
    few_colours: bool = False,
) -> Iterator[RenderableType]:
    """Return ``table`` for the terminal, part by part.

    ``signs``: marks beyond ASCII may be used; ``few_colours``: the terminal has 16.
    """
    shade = ansi_style if few_colours else _full_style
    marks = MARKS if signs else ASCII
    grid = Grid(show_edge=False, pad_edge=False, box=_box(marks))
    grid.add_column("Batch size", justify="right", no_wrap=True)
    grid.add_column("Framework", no_wrap=True)
    for machine in table.machines:
        grid.add_column(Text(machine), justify="right", overflow="fold")
    previous: int | None = None
    for row in table.rows:
        if previous not in (None, row.batch_size):
            grid.add_section()
        size = "" if row.batch_size == previous else str(row.batch_size)
        previous = row.batch_size
        cells = [_cell(cell, marks, intervals, lambda s: shade(s, palette)) for cell in row.cells]
        grid.add_row(size, Text(row.label), *cells)
    yield Text(table.title, style="italic")
    yield grid
    for line in legend(table, marks, intervals):
        yield Text(line, style="dim")
    yield from map(_footnote, footnotes(table))


def _box(marks: dict[str, str]) -> Any:
    from rich import box

    return box.SIMPLE_HEAD if marks is MARKS else box.ASCII


def _full_style(shade: float, palette: str) -> str:
    found = colour(shade, palette)
    return f"{found.text_hex} on {found.background_hex}"


def _cell(
    cell: TableCell | None, marks: dict[str, str], intervals: bool, style_of: Callable[[float], str]
) -> Text:
    if cell is None:
        return Text("")
    star = "*" if cell.beats_reference else ""
    note = f" [{cell.note}]" if cell.note else ""
    if cell.estimate is None:
        return Text(f"{cell.text}{note}", style="italic")
    tail = f" {cell.spread}" if intervals and cell.spread else ""
    style = "" if cell.shade is None else style_of(cell.shade)
    if cell.best_overall:
        style += " bold"
    return Text(f"{star}{cell.text}{tail}{note} {mark_of(cell, marks)}", style=style)


def mark_of(cell: TableCell, marks: dict[str, str]) -> str:
    """Return the one mark that says most about a cell, or a no-break space, which keeps numbers aligned."""
    if cell.best_overall:
        return marks["overall"]
    if cell.best:
        return marks["best"]
    return marks["tie"] if cell.tie else "\u00a0" if marks is MARKS else " "


def footnotes(table: Table) -> list[str]:
    """Return what is missing from the table's runs, then its notes with their numbers."""
    return [*table.incomplete, *(f"[{number}] {note}" for number, note in enumerate(table.notes, 1))]


def _footnote(text: str) -> RenderableType:
    """Return a note whose further lines stand below its words, not below its number."""
    number, _, words = text.partition("] ")
    if not (words and number.startswith("[")):
        return Text(text)
    row = Columns.grid(padding=(0, 1, 0, 0))
    row.add_row(Text(f"{number}]"), Text(words))
    return row


def _not_judged(others: Sequence[TableCell]) -> list[str]:
    """Return what is to be said of cells that are not the best, and of which nothing says how they compare with it."""
    alone = [cell for cell in others if not cell.judged]
    names = ", ".join(dict.fromkeys(cell.summary.name for cell in alone))
    return [not_judged(names, "better", all_of_them=len(alone) == len(others))] * bool(alone)


def legend(table: Table, marks: dict[str, str], intervals: bool) -> list[str]:
    """Return what the marks mean, those that occur only."""
    cells = [cell for row in table.rows for cell in row.cells if cell]
    found = []
    if any(cell.best_overall for cell in cells):
        found.append(f"{marks['overall']} best of the machine over all batch sizes")
    if any(cell.best and not cell.best_overall for cell in cells):
        found.append(f"{marks['best']} best of its batch size")
    if any(cell.tie and not cell.best for cell in cells):
        found.append(
            f"{marks['tie']} may be as good: within the noise, or a difference that so many pairs show by chance"
        )
    lines = ["   ".join(found)] if found else []
    lines += _not_judged([cell for cell in cells if cell.estimate and not cell.best])
    if table.reference and any(cell.beats_reference for cell in cells):
        lines.append(f"* beats {table.reference} with the same framework and batch size")
    if intervals and any(cell.spread for cell in cells):
        told = (
            "[ ] ends of the 95 % interval"
            if any(cell.ends for cell in cells)
            else "± half width of the 95 % interval"
        )
        lines.append(told + (WITHIN if table.within else ""))
    return lines
