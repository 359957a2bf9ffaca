"""The overview as a table in the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console

from inferometer.cli.common import console
from inferometer.records import RunInfo
from inferometer.results.cells import Results
from inferometer.results.completeness import unfinished
from inferometer.results.metrics import Column
from inferometer.tables.grid import Grid
from inferometer.tables.notes import notes
from inferometer.tables.overview import OverviewRow, columns, failures, rows, skipped
from inferometer.units import counted, listed

_STYLES = {"best": "bold green", "tie": "green"}
_NAME_WIDTH = 28  # characters to which names of frameworks may be folded, before any column is left out
_ENDLESS = 10_000  # characters, more than any table needs


def print_overview(results: Results, screen: Console | None = None, *, why: bool = False) -> None:
    """Print the rows, failures with their causes below, then what a reader must know.

    ``why``: below each footnote what is behind it. A terminal too narrow for all columns gets fewer, and says which are left out; a number is never cut.
    """
    screen = screen or console()
    for line in (*(_headline(run.info) for run in results.runs), *unfinished(results)):
        _print(screen, line)
    measured = [row for row in rows(results) if row.summary.measured]
    if measured:
        _print_table(screen, measured, columns(results))
    for line in (*failures(results), *skipped(results)):
        _print(screen, line)
    for note in notes(results):
        _print(screen, note.words)
        for detail in note.details if why else ():
            _print(screen, f"    {detail}")


def _headline(info: RunInfo) -> str:
    machine, protocol = info.machine, info.protocol
    where = " and ".join(part for part in (machine.cpu, *machine.gpu_names) if part)
    what = f"{info.model.name or 'model'} on {where or machine.name or 'an unnamed machine'}"
    if info.source != "measured":
        return f"{what}, {info.source}"
    rounds = counted(protocol.rounds, "round")
    if protocol.threads:  # 0: not known, as of a run that was repaired
        what += f", {counted(protocol.threads, 'thread')}"
    return f"{what}; {counted(protocol.images, 'image')} a loop, {rounds}"


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_table(screen: Console, measured: list[OverviewRow], shown: list[Column]) -> None:
    kept = list(shown)
    texts = {column.title: [column.text(row.summary) for row in measured] for column in shown}
    while (needed := _needed_width(screen, table := _table(measured, kept, texts))) > screen.width:
        widest = max(kept, key=lambda column: column.drop_order)
        if not widest.drop_order:
            screen.width = needed  # the terminal may wrap what is left; rich would cut it
            break
        kept.remove(widest)
    screen.print(table)
    left_out = [column.title for column in shown if column not in kept]
    if left_out:
        _print(screen, f"too narrow for {listed(left_out)}: widen the terminal, or take show --format csv")


def _needed_width(screen: Console, table: Grid) -> int:
    """Return the characters that a table needs with its names folded and its numbers whole; at most, where there is room for more."""
    natural = table.natural_width()
    if natural is not None and natural <= screen.width:
        return natural
    return screen.measure(table, options=screen.options.update(width=_ENDLESS)).minimum


def _table(measured: list[OverviewRow], shown: list[Column], texts: Mapping[str, Sequence[str]]) -> Grid:
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in shown:
        width = max(len(column.title), *map(len, texts[column.title]))
        if column.title == "framework":
            table.add_column(column.title, overflow="fold", min_width=min(width, _NAME_WIDTH))
        else:
            table.add_column(column.title, justify="right", no_wrap=True, min_width=width)
    table.add_texts(
        [texts[column.title] for column in shown], [_STYLES.get(row.mark, "") for row in measured]
    )
    for row, (first, second) in zip(table.rows, itertools.pairwise(measured), strict=False):
        row.end_section = first.summary.cell.batch_size != second.summary.cell.batch_size
    return table
