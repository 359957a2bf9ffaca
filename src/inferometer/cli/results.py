"""`table`, `report`, `recommend`, `compare` and `merge`: what any set of runs says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import click
from rich.console import Console

from inferometer import tables
from inferometer.errors import UsageError
from inferometer.recommend import Objective
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


def _sizes(text: str | None) -> tuple[int, ...]:
    """Return the batch sizes of "8,16" or "8..64" (powers of two)."""
    if not text:
        return ()
    found: list[int] = []
    try:
        for part in text.split(","):
            low, dots, high = part.partition("..")
            size = int(low)
            found.append(size)
            while dots and size * 2 <= int(high):
                size *= 2
                found.append(size)
        if min(found) < 1:
            raise ValueError
    except ValueError:
        raise UsageError(f"--batch-sizes {text!r}: give whole numbers, 8,16 or 8..64") from None
    return tuple(found)


def _positive(value: float | None, name: str) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise UsageError(f"{name} is {value}, must be above 0")
    return value


@click.command("recommend")
@RUNS
@click.option("--max-latency-ms", type=float, help="Of a batch: p99 where batches were timed one by one.")
@click.option("--max-power-w", type=float, help="Mean power of the device that does the work.")
@click.option("--max-energy-mj", type=float, help="Energy an image, millijoules.")
@click.option("--max-memory-gb", type=float, help="Peak memory, 10^9 bytes.")
@click.option(
    "--min-agreement", metavar="SHARE", help="Images with the reference's top-1 class: 99% or 0.99."
)
@click.option("--batch-sizes", metavar="LIST", help="Only these: 8,16 or 8..64.")
@click.option(
    "--objective",
    type=click.Choice(["throughput", "latency", "energy", "cost"]),
    default="throughput",
    show_default=True,
)
@click.option("--price-per-kwh", type=float, default=0.30, show_default=True)
@click.option("--price-per-hour", type=float, default=0.0, show_default=True, help="Of the machine itself.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "md", "json"]), default="text", show_default=True
)
def recommend_command(
    *,
    runs: tuple[Path, ...],
    max_latency_ms: float | None,
    max_power_w: float | None,
    max_energy_mj: float | None,
    max_memory_gb: float | None,
    min_agreement: str | None,
    batch_sizes: str | None,
    objective: str,
    price_per_kwh: float,
    price_per_hour: float,
    format_: str,
) -> int:
    """Choose framework, precision and batch size for each machine under constraints.

    A figure that was not measured breaks the constraint on it. Exit status 1 if no machine has any choice.
    """
    from inferometer import advice
    from inferometer.changes import share
    from inferometer.recommend import Constraints, Prices, recommend

    latency, power = _positive(max_latency_ms, "--max-latency-ms"), _positive(max_power_w, "--max-power-w")
    energy, memory = _positive(max_energy_mj, "--max-energy-mj"), _positive(max_memory_gb, "--max-memory-gb")
    if min(price_per_kwh, price_per_hour) < 0 or not math.isfinite(price_per_kwh + price_per_hour):
        raise UsageError("a price must not be negative")
    constraints = Constraints(
        max_latency_s=None if latency is None else latency / 1e3,
        max_power_w=power,
        max_energy_j=None if energy is None else energy / 1e3,
        max_memory_bytes=None if memory is None else memory * 1e9,
        min_agreement=None if min_agreement is None else share(min_agreement, whole=True),
        batch_sizes=_sizes(batch_sizes),
    )
    prices = Prices(price_per_kwh, price_per_hour)
    found = recommend(_results(runs), constraints, cast(Objective, objective), prices)
    if format_ == "text":
        advice.render(found, prices, _console())
    else:
        click.echo((advice.to_markdown if format_ == "md" else advice.to_json)(found, prices), nl=False)
    return 0 if any(a.choice for a in found) else 1


@click.command("merge")
@RUNS
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Run directory to write (several machines: one below it for each).",
)
def merge_command(*, runs: tuple[Path, ...], out: Path) -> int:
    """Pool runs of the same hardware and model into one run directory; their rounds count on."""
    from inferometer.merge import merge, write

    for path, info, count in write(merge(read_runs(runs)), out):
        click.echo(f"{path}: {info.protocol.rounds} rounds, {len(info.cells)} cells, {count} records")
    return 0


@click.command("report")
@RUNS
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="HTML file to write; default report.html unless another output is asked for.",
)
@click.option(
    "--static",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also every figure as PNG and SVG into DIR (matplotlib).",
)
@click.option(
    "--xlsx", type=click.Path(path_type=Path), metavar="FILE", help="Also the tables as a coloured workbook."
)
@click.option(
    "--md", type=click.Path(path_type=Path), metavar="FILE", help="Also a Markdown report for a pull request."
)
@click.option("--title", default="inferometer report", show_default=True)
@click.option("--reference", metavar="GPU", help="Machine that an asterisk means beating.")
@click.option(
    "--palette",
    type=click.Choice(list(tables.PALETTES)),
    default="report",
    show_default=True,
    help="Of the workbook.",
)
def report_command(
    *,
    runs: tuple[Path, ...],
    out: Path | None,
    static: Path | None,
    xlsx: Path | None,
    md: Path | None,
    title: str,
    reference: str | None,
    palette: str,
) -> int:
    """Write one self-contained HTML report of any set of runs; --static, --xlsx and --md write other forms."""
    results = _results(runs)
    if out is None and not (static or xlsx or md):
        out = Path("report.html")
    if out is not None:
        from inferometer.report.html import write_report

        write_report(results, out, title=title, reference=reference)
        click.echo(str(out))
    if static is not None:
        from inferometer.report.static import write_static

        write_static(results, static)
        click.echo(str(static))
    if xlsx is not None:
        from inferometer.report.xlsx import write_workbook

        write_workbook(results, xlsx, palette=palette)
        click.echo(str(xlsx))
    if md is not None:
        from inferometer.report.markdown import write_markdown

        write_markdown(results, md, title=title)
        click.echo(str(md))
    return 0
