"""`table`: one metric of any set of runs."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer import tables
from inferometer.cli.common import RUNS, has_few_colours, has_signs, notice, print_parts, results_of
from inferometer.results.completeness import unfinished
from inferometer.results.metrics import METRICS
from inferometer.tables.text import to_text

_HELP = f"""Print METRIC of any set of runs: rows batch size and framework, columns machines.

METRIC is one of {", ".join(METRICS)}. RUN is a run directory or a folder of them. Exit status 1 if no cell has a value.
"""


@click.command("table", help=_HELP)
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
@click.option("--palette", type=click.Choice(list(tables.PALETTES)), default="study", show_default=True)
@click.option(
    "--intervals/--no-intervals", default=True, show_default=True, help="Show the 95 % interval's half width."
)
def table_command(
    *, metric: str, runs: tuple[Path, ...], format_: str, reference: str | None, palette: str, intervals: bool
) -> int:
    """Print one metric."""
    chosen = tables.metric_named(metric)
    results = results_of(runs)
    everything = tables.build(results, chosen, reference)
    for table in everything:
        if table.is_empty:
            notice(f"{table.title}: no value: {table.why_empty()}")
    if not everything or format_ in ("csv", "json"):  # which have no place for it
        for line in unfinished(results):
            notice(line)
    built = [table for table in everything if not table.is_empty]
    if format_ in ("csv", "json"):  # of every cell, with the reason where there is no value
        click.echo((tables.to_csv if format_ == "csv" else tables.to_json)(results, chosen), nl=False)
    elif format_ == "text":
        for table in built:
            shown = to_text(
                table, signs=has_signs(), palette=palette, intervals=intervals, few_colours=has_few_colours()
            )
            print_parts(shown)
    for table in built:
        if format_ == "md":
            click.echo(tables.to_markdown(table, intervals=intervals))
        elif format_ == "html":
            click.echo(tables.to_html(table, palette=palette, intervals=intervals))
        elif format_ == "latex":
            click.echo(tables.to_latex(table, palette=palette, intervals=intervals))
    return 0 if built else 1
