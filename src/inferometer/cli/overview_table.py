"""The overview as a table in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inferometer.overview import COLUMNS, Row, notes, rows, skipped
from inferometer.summary import Results

_LEFT = ("framework", "95 % interval")


def print_overview(results: Results, console: Console | None = None) -> None:
    """Print the rows, failures with their causes below, then what a reader must know."""
    console = console or Console(soft_wrap=False)
    everything = rows(results)
    for run in results.runs:
        machine, protocol = run.info.machine, run.info.protocol
        console.print(
            f"{run.info.model.name or 'model'} on {machine.cpu}, {protocol.threads} threads; "
            f"{protocol.images} images a loop, {protocol.rounds} rounds",
            markup=False, highlight=False,
        )  # fmt: skip
    console.print(_table([row for row in everything if not row.failed]))
    lines = [
        f"{row.texts[1]} at {row.texts[0]}: {row.texts[2]}: {row.texts[3]}"
        for row in everything
        if row.failed
    ]
    for line in (*lines, *skipped(results), *notes(results)):
        console.print(line, markup=False, highlight=False)


def _table(shown: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in _LEFT else "right", no_wrap=True)
    previous = ""
    for row in shown:
        if previous and row.texts[0] != previous:
            table.add_section()
        previous = row.texts[0]
        style = {"best": "bold green", "tie": "green"}.get(row.mark, "")
        table.add_row(*(Text(text) for text in row.texts), style=style)
    return table
