"""`inferometer show`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import click

from inferometer.cli.common import notice, results_of
from inferometer.cli.load import print_load
from inferometer.cli.overview_table import print_overview
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError
from inferometer.escapes import text_row
from inferometer.results.summary import summarise
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import read_run
from inferometer.tables.overview import flat_rows


@click.command("show")
@click.argument("directory", type=PATH)
@click.option(
    "--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True
)
@click.option(
    "--why", is_flag=True, help="Print below each footnote what is behind it: numbers, device, method."
)
def show_command(directory: Path, form: str, why: bool) -> None:
    """Print the table of a run DIRECTORY again."""
    runs = find_runs(directory, notice=notice)
    if len(runs) > 1:
        raise UsageError(
            f"{directory} holds {len(runs)} runs: show one, {runs[0]} for instance, or use table or report"
        )
    if why and form != "text":
        raise UsageError("--why explains the footnotes of the table, which --format csv and json do not have")
    results = results_of(runs) if runs else summarise([read_run(directory)])
    if form == "text":
        print_overview(results, why=why)
        print_load(results)
        return
    rows = flat_rows(results)
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(text_row(row) for row in rows)
