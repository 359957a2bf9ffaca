"""`table`, `report`, `recommend`, `compare` and `merge`: what any set of runs says."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from inferometer import tables
from inferometer.runs import read_runs
from inferometer.summary import Results, summarise
from inferometer.tables.text import render

RUNS = click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")


def _results(runs: tuple[Path, ...]) -> Results:
    return summarise(read_runs(runs))


def _console() -> Console:
    """Return a console that wraps for a terminal only: what reads a pipe wants whole lines."""
    console = Console()
    return console if console.is_terminal else Console(width=400)


@click.command("table")
@click.argument("metric")
@RUNS
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "csv", "json", "md", "html", "latex"]),
    default="text",
    show_default=True,
)
@click.option(
    "--reference",
    metavar="GPU",
    help="Machine that an asterisk means beating; default: the one with most wins.",
)
@click.option("--palette", type=click.Choice(list(tables.PALETTES)), default="report", show_default=True)
@click.option(
    "--intervals/--no-intervals", default=True, show_default=True, help="Show the 95 % interval's half width."
)
def table_command(
    *, metric: str, runs: tuple[Path, ...], format_: str, reference: str | None, palette: str, intervals: bool
) -> int:
    """Print METRIC of any set of runs: rows batch size and framework, columns machines.

    METRIC is one of throughput, latency, power, energy, energy_time, images_per_joule, images_per_watt, memory,
    prepare_time, accuracy (also throughput_total, latency_batch, p50, p90, p99). RUN is a run directory or a folder of them.
    """
    chosen = tables.metric_named(metric)
    results = _results(runs)
    if format_ in ("csv", "json"):
        click.echo((tables.to_csv if format_ == "csv" else tables.to_json)(results, chosen), nl=False)
        return 0
    built = tables.build(results, chosen, reference)
    if format_ == "text":
        console = _console()
        for table in built:
            render(table, console, palette=palette, intervals=intervals)
    for table in built:
        if format_ == "md":
            click.echo(tables.to_markdown(table, intervals=intervals))
        elif format_ == "html":
            click.echo(tables.to_html(table, palette=palette, intervals=intervals))
        elif format_ == "latex":
            click.echo(tables.to_latex(table, palette=palette, intervals=intervals))
    return 0
