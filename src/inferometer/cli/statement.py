"""`statement`: energy and carbon per functional unit, as organisations report them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from inferometer.cli.carbon import carbon_options, required
from inferometer.cli.common import RUNS, notice, results_of
from inferometer.statement.boundary import BOUNDARIES, Boundary


@click.command("statement")
@RUNS
@carbon_options
@click.option(
    "--per",
    "unit",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Inferences of the functional unit.",
)
@click.option(
    "--boundary",
    type=click.Choice(BOUNDARIES),
    default="device",
    show_default=True,
    help="Energy of the device that did the work, or of all of this host that was metered.",
)
@click.option(
    "--min-seconds",
    type=click.FloatRange(0),
    default=0.0,
    metavar="S",
    help="State only what was metered so long in every round; MLPerf Power asks for 60.",
)
@click.option("--format", "format_", type=click.Choice(["md", "json"]), default="md", show_default=True)
def statement_command(
    *, runs: tuple[Path, ...], unit: int, boundary: Boundary, min_seconds: float, format_: str, **given: Any
) -> int:
    """Energy and carbon per 1,000 inferences, after ISO/IEC 21031 (SCI): ((E x I) + M) per R.

    The grid's intensity and the PUE are yours to give, each with its source and date; embodied emissions count where you give
    them. Exit status 1 if no cell has a figure.

    \b
    inferometer statement DIR --intensity 363 --intensity-source "UBA, German mix" --intensity-date 2024 \\
      --pue 1.3 --pue-source "our data centre's report" --pue-date 2025-06
    """  # fmt: skip
    from inferometer.results.completeness import unfinished
    from inferometer.statement import render
    from inferometer.statement.statement import Terms, state

    terms = Terms(required(given, "a statement"), unit, boundary, min_seconds)
    results = results_of(runs)
    found = state(results, terms)
    for line in unfinished(results):
        notice(line)
    click.echo((render.to_markdown if format_ == "md" else render.to_json)(found), nl=False)
    return 1 if found.is_empty else 0
