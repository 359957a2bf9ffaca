"""`compare`: two runs cell by cell, with an exit status for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inferometer.cli.common import has_signs, print_parts, results_of, share
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError
from inferometer.units import counted

if TYPE_CHECKING:
    from inferometer.comparison.compare import Comparison


@click.command("compare")
@click.argument("first", type=PATH, metavar="A")
@click.argument("second", type=PATH, metavar="B")
@click.option(
    "--metric",
    default="throughput",
    show_default=True,
    help="What to compare; `inferometer table --help` lists all.",
)
@click.option(
    "--frameworks",
    metavar="X,Y",
    help="X of A against Y of B, e.g. two versions measured in one run (then A = B).",
)
@click.option(
    "--fail-if-slower",
    metavar="SHARE",
    help="Exit with 3 if a cell is surely slower (of other metrics: worse), and by SHARE or more (3% or 0.03), or broke.",
)
@click.option(
    "--noise",
    metavar="SHARE",
    help="Standard deviation between processes that you know of (2% or 0.02), to judge what was measured in one round only.",
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
    noise: str | None,
    format_: str,
) -> int:
    """Compare two runs (framework versions, drivers, commits) cell by cell.

    A and B are run directories or folders of them. Each cell that both have gets the ratio B/A with its 95 % interval
    and a verdict, but none where both have one round: nothing is then known of the noise between processes. A cell that ended well in A is broken where B failed at it or was to measure it and has no result.
    Exit status: 0; 3 if --fail-if-slower finds something; 1 if it finds nothing that can be compared.
    """
    from inferometer import tables
    from inferometer.comparison.compare import compare

    compared = tables.metric_named(metric)
    limit = None
    if fail_if_slower is not None:
        limit = share(fail_if_slower, "--fail-if-slower", growth=not compared.higher_is_better)
    known = None if noise is None else share(noise, "--noise")
    if known == 0:
        raise UsageError("--noise 0: no machine is without noise; leave it out if you do not know it")
    pair = _two_names(frameworks) if frameworks else None
    found = compare(results_of((first,)), results_of((second,)), compared, pair, known)
    _show(found, format_)
    return 0 if limit is None else _status(found, limit)


def _show(found: Comparison, format_: str) -> None:
    from inferometer.comparison import render

    if format_ == "json":
        click.echo(render.to_json(found), nl=False)
    elif format_ == "md":
        click.echo(render.to_markdown(found), nl=False)
    else:
        print_parts(render.to_text(found, signs=has_signs()))


def _status(found: Comparison, limit: float) -> int:
    """Say on standard error what --fail-if-slower found, and return the exit status."""
    from inferometer.comparison import wording

    if all(change.verdict == "not comparable" for change in found.changes):
        click.echo(
            "inferometer: --fail-if-slower: no cell of A and B can be compared (see the reasons above)",
            err=True,
        )
        return 1
    if found.unjudged:
        click.echo(
            f"inferometer: --fail-if-slower: {counted(len(found.unjudged), 'cell')} of A could not be judged (see the reasons above)",
            err=True,
        )
    worse = found.worse_by(limit)
    for change in worse:
        click.echo(f"inferometer: {wording.sentence(change, found.metric)}", err=True)
    return 3 if worse else 0


def _two_names(text: str) -> tuple[str, str]:
    """Return the two frameworks of "X,Y"."""
    first, comma, second = (part.strip() for part in text.partition(","))
    if not comma or not first or not second or "," in second:
        raise UsageError(f"--frameworks {text!r}: give two, X,Y")
    return first, second
