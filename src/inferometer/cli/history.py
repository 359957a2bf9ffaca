"""`history`: a metric of every cell over any number of runs."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer.cli.common import notice, print_parts
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError


@click.command("history")
@click.argument("folder", type=PATH, metavar="FOLDER")
@click.option("--metric", default="throughput", show_default=True, help="As of `inferometer table`.")
@click.option(
    "--framework", "frameworks", multiple=True, metavar="NAME", help="Only this one; may be given again."
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only this one; may be given again.")
@click.option(
    "--machine", "machines", multiple=True, metavar="PART", help="Only machines with this in their name."
)
@click.option(
    "--last", type=click.IntRange(min=1), help="Hold each run against so many runs before it; default: 10."
)
@click.option("--format", "format_", type=click.Choice(["text", "csv"]), default="text", show_default=True)
@click.option("--out", type=PATH, metavar="FILE", help="Also a page of small multiples, one HTML file.")
def history_command(
    *,
    folder: Path,
    metric: str,
    frameworks: tuple[str, ...],
    models: tuple[str, ...],
    machines: tuple[str, ...],
    last: int | None,
    format_: str,
    out: Path | None,
) -> int:
    """Show a metric of every cell over all runs in FOLDER, and where it changed.

    A change is what `compare` calls one: each run is held against the runs before it, since the cell's last change. Exit status 1 if no
    cell is left to show.
    """
    from inferometer import tables
    from inferometer.comparison import history_render
    from inferometer.comparison.baseline import LAST, dated_runs, read_dated, without_pools
    from inferometer.comparison.history import chosen, history, nothing_of

    shown = tables.metric_named(metric)
    runs = without_pools(read_dated(dated_runs(folder, notice), notice), notice)
    if not runs:
        raise UsageError(f"{folder} is no run directory and has none below it")
    everything = history(runs, shown, last or LAST)
    found = chosen(everything, frameworks, models, machines)
    if everything.lines and not found.lines:
        raise nothing_of(everything, frameworks, models, machines)
    if format_ == "csv":
        click.echo(history_render.to_csv(found), nl=False)
    else:
        print_parts(history_render.to_text(found))
    if out is not None:
        from inferometer.report.page.history import write_history

        write_history(found, out, title=f"{shown.title}: {folder.resolve().name}")
        notice(str(out))
    return 0 if found.lines else 1
