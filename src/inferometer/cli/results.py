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


@click.command("compare")
@click.argument("first", type=click.Path(path_type=Path), metavar="A")
@click.argument("second", type=click.Path(path_type=Path), metavar="B")
@click.option("--metric", default="throughput", show_default=True, help="What to compare.")
@click.option(
    "--frameworks",
    metavar="X,Y",
    help="X of A against Y of B, e.g. two versions measured in one run (then A = B).",
)
@click.option(
    "--fail-if-slower",
    metavar="SHARE",
    help="Exit with 3 if a cell is surely slower, and by SHARE or more (3% or 0.03), or broke.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "md", "json"]), default="text", show_default=True
)
def compare_command(
    *,
    first: Path,
    second: Path,
    metric: str,
    frameworks: str | None,
    fail_if_slower: str | None,
    format_: str,
) -> int:
    """Compare two runs (framework versions, drivers, commits) cell by cell.

    A and B are run directories or folders of them. Each cell that both have gets the ratio B/A with its 95 % interval
    and a verdict. Exit status: 0; 3 if --fail-if-slower finds something; 1 if it finds nothing that can be compared.
    """
    from inferometer import changes
    from inferometer.compare import compare

    limit = changes.share(fail_if_slower) if fail_if_slower is not None else None
    pair = changes.two_names(frameworks) if frameworks else None
    found = compare(_results((first,)), _results((second,)), tables.metric_named(metric), pair)
    if format_ == "json":
        click.echo(changes.to_json(found), nl=False)
    elif format_ == "md":
        click.echo(changes.to_markdown(found), nl=False)
    else:
        changes.render(found, _console())
    if limit is None:
        return 0
    if all(change.verdict == "not comparable" for change in found.changes):
        click.echo(
            "inferometer: --fail-if-slower: no cell of A and B can be compared (see the reasons above)",
            err=True,
        )
        return 1
    worse = found.worse_by(limit)
    for change in worse:
        click.echo(f"inferometer: {changes.sentence(change, found.metric)}", err=True)
    return 3 if worse else 0
