"""The overview as a table in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inferometer.overview import Column, Row, columns, failures, notes, rows, skipped
from inferometer.records import RunInfo
from inferometer.summary import Results
from inferometer.units import counted

_STYLES = {"best": "bold green", "tie": "green"}
_WIDE = 96  # characters that all columns need


def print_overview(results: Results, console: Console | None = None) -> None:
    """Print the rows, failures with their causes below, then what a reader must know."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 160))  # a pipe or file has no width: cut nothing
    everything = rows(results)
    for run in results.runs:
        _print(console, _headline(run.info))
    shown = columns(results, narrow=console.width < _WIDE)
    ranked = [row for row in everything if row.summary.ranked]
    if ranked:
        console.print(_table(ranked, shown))
    for line in (*failures(results), *skipped(results), *notes(results)):
        _print(console, line)


def _headline(info: RunInfo) -> str:
    machine, protocol = info.machine, info.protocol
    where = " and ".join(part for part in (machine.cpu, *(gpu.name for gpu in machine.gpus)) if part)
    what = f"{info.model.name or 'model'} on {where or machine.name or 'an unnamed machine'}"
    if info.source != "measured":
        return f"{what}, {info.source}"
    threads, rounds = counted(protocol.threads, "thread"), counted(protocol.rounds, "round")
    return f"{what}, {threads}; {counted(protocol.images, 'image')} a loop, {rounds}"


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(ranked: list[Row], shown: list[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in shown:
        table.add_column(
            column.title, justify="left" if column.title == "framework" else "right", no_wrap=True
        )
    previous = 0
    for row in ranked:
        size = row.summary.cell.batch_size
        if previous and size != previous:
            table.add_section()
        previous = size
        table.add_row(*(Text(column.text(row.summary)) for column in shown), style=_STYLES.get(row.mark, ""))
    return table
