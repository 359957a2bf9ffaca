"""`load`: what rows did under load, as a table or as data; and its table for other commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.text import Text

from inferometer.cli.common import RUNS, console, results_of
from inferometer.errors import UsageError
from inferometer.results.cells import Results
from inferometer.results.under_load import LoadSummary, summarise_load
from inferometer.tables.grid import Grid
from inferometer.tables.under_load import (
    headed,
    load_csv,
    load_markdown,
    load_notes,
    load_parts,
    load_rows,
    ordered,
    shown_columns,
)


@click.command("load")
@RUNS
@click.option(
    "--format", "form", type=click.Choice(["text", "md", "csv", "json"]), default="text", show_default=True
)
def load_command(runs: tuple[Path, ...], form: str) -> None:
    """Show what rows did under load; csv and json have every LoadGen test, also those of a search."""
    results = results_of(runs)
    found = summarise_load(results)
    if not found:
        raise UsageError("nothing was run under load here: measure with run --scenarios")
    if form == "text":
        print_load(results)
    elif form == "md":
        click.echo(load_markdown(found), nl=False)
    elif form == "csv":
        click.echo(load_csv(found), nl=False)
    else:
        click.echo(json.dumps(load_rows(found), indent=1, ensure_ascii=False))


def print_load(results: Results, screen: Console | None = None) -> None:
    """Print a table a machine and model of what was run under load, with its notes; nothing where there is none."""
    for title, found in load_parts(summarise_load(results)):
        _print(screen or console(), title, found)


def _print(screen: Console, title: str, found: Sequence[LoadSummary]) -> None:
    _line(screen, headed(title))
    table = _table(found)
    needed = table.natural_width()
    if needed is not None and needed > screen.width:
        screen.width = needed  # the terminal may wrap; rich would cut numbers
    screen.print(table)
    for note in load_notes(found):
        _line(screen, note)


def _line(screen: Console, text: str) -> None:
    screen.print(text, markup=False, highlight=False, soft_wrap=True)


def _table(found: Sequence[LoadSummary]) -> Grid:
    columns, rows = shown_columns(found), ordered(found)
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title, side, _ in columns:
        table.add_column(title, justify="right" if side == "r" else "left", no_wrap=True)
    previous = rows[0].scenario
    for summary in rows:
        if summary.scenario != previous:
            table.add_section()
        previous = summary.scenario
        table.add_row(*(Text(text(summary).strip()) for _, _, text in columns))
    return table
