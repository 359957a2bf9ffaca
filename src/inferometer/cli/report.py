"""`report`: the HTML report of any set of runs, and its other forms."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer import tables
from inferometer.cli.common import RUNS, prices_options, results_of
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError


@click.command("report")
@RUNS
@click.option(
    "--out",
    type=PATH,
    help="HTML file to write; default report.html unless another output is asked for.",
)
@click.option(
    "--static",
    type=PATH,
    metavar="DIR",
    help="Also every figure as PNG and SVG into DIR (matplotlib).",
)
@click.option("--xlsx", type=PATH, metavar="FILE", help="Also the tables as a coloured workbook.")
@click.option("--md", type=PATH, metavar="FILE", help="Also a Markdown report for a pull request.")
@click.option("--title", default="", help="Heading; default: the models and machines.")
@click.option(
    "--reference",
    metavar="GPU",
    help="Machine that an asterisk means beating; default: the one with most wins of each metric.",
)
@click.option(
    "--palette",
    type=click.Choice(list(tables.PALETTES)),
    default="study",
    show_default=True,
    help="Of the workbook.",
)
@prices_options
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
    price_per_kwh: float,
    price_per_hour: float,
    currency: str,
) -> int:
    """Write one self-contained HTML report of any set of runs; --static, --xlsx and --md write other forms."""
    from inferometer.recommendation.objectives import Prices
    from inferometer.report.page.facts import heading

    _refuse_same({"--out": out, "--static": static, "--xlsx": xlsx, "--md": md})
    prices = Prices(price_per_kwh, price_per_hour, currency)
    results = results_of(runs)
    if reference is not None:
        tables.machine_named(reference, results)  # in every form, also where no asterisk is shown
    title = title or heading(results)
    if out is None and not (static or xlsx or md):
        out = Path("report.html")
    if out is not None:
        from inferometer.report.page.html import write_report

        write_report(results, out, title=title, reference=reference, prices=prices)
        click.echo(str(out))
    if static is not None:
        from inferometer.report.figures.matplotlib_figure import write_static

        write_static(results, static)
        click.echo(str(static))
    if xlsx is not None:
        from inferometer.report.xlsx import write_workbook

        write_workbook(results, xlsx, palette=palette, reference=reference)
        click.echo(str(xlsx))
    if md is not None:
        from inferometer.report.markdown import write_markdown

        write_markdown(results, md, title=title, reference=reference)
        click.echo(str(md))
    return 0


def _refuse_same(outputs: dict[str, Path | None]) -> None:
    """Raise UsageError for two outputs with one path: the later would replace the earlier."""
    found: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        other = found.setdefault(path.resolve(), option)
        if other != option:
            raise UsageError(f"{other} and {option} are both {path}; give each a name of its own")
