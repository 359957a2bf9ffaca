"""`compare`: two runs cell by cell, with an exit status for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inferometer.cli.common import has_signs, notice, print_parts, results_of, share
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError
from inferometer.units import counted

if TYPE_CHECKING:
    from inferometer.comparison.changes import Comparison
    from inferometer.results.metrics import Metric

INCONCLUSIVE = 4  # exit status


@click.command("compare")
@click.argument("first", type=PATH, metavar="A")
@click.argument("second", type=PATH, metavar="B", required=False)
@click.option(
    "--against",
    type=PATH,
    metavar="FOLDER",
    help="Hold the one run given against the last runs of this folder that measured the same model on the same hardware.",
)
@click.option("--last", type=click.IntRange(min=1), help="So many of them; default: 10.")
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
    second: Path | None,
    against: Path | None,
    last: int | None,
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

    With --against, A is the history and B the run: 0 if the data exclude that any cell lost as much as --fail-if-slower (3% unless given); 3 if one did; 4 if
    they are inconclusive, also where there is no history yet.
    """
    from inferometer import tables
    from inferometer.comparison.compare import compare

    compared = tables.metric_named(metric)
    _check_sides(second, against, last, frameworks)
    limit = None
    if fail_if_slower is not None:
        limit = share(fail_if_slower, "--fail-if-slower", growth=not compared.higher_is_better)
    known = None if noise is None else share(noise, "--noise")
    if known == 0:
        raise UsageError("--noise 0: no machine is without noise; leave it out if you do not know it")
    if against is not None:
        return _against(first, against, last=last, metric=compared, limit=limit, noise=known, format_=format_)
    assert second is not None
    pair = _two_names(frameworks) if frameworks else None
    found = compare(results_of((first,)), results_of((second,)), compared, pair, known)
    _show(found, format_)
    return 0 if limit is None else _status(found, limit)


def _check_sides(second: Path | None, against: Path | None, last: int | None, frameworks: str | None) -> None:
    """Raise UsageError for too few sides, or too many."""
    if second is None and against is None:
        raise UsageError(
            "compare takes two runs, A and B, or one and the folder of its history: --against FOLDER"
        )
    if second is not None and against is not None:
        raise UsageError(
            f"--against {against}: give the one run to hold against it; {second} is one too many"
        )
    if against is not None and frameworks:
        raise UsageError(
            "--frameworks compares two rows of two runs; --against holds every row against its own history"
        )
    if last is not None and against is None:
        raise UsageError(f"--last {last} says how many runs of --against FOLDER count; give the folder")


def _against(
    path: Path,
    folder: Path,
    *,
    last: int | None,
    metric: Metric,
    limit: float | None,
    noise: float | None,
    format_: str,
) -> int:
    """Hold one run against its history, and return the exit status."""
    from inferometer.comparison import wording
    from inferometer.comparison.baseline import (
        LAST,
        before,
        dated_runs,
        newest_of_each,
        read_dated,
        without_pools,
    )
    from inferometer.comparison.compare import compare
    from inferometer.comparison.gate import LIMIT, gate
    from inferometer.results.summary import summarise
    from inferometer.storage.run_directory import read_run

    new = read_run(path)
    read = read_dated(before(dated_runs(folder, notice), new, last or LAST), notice)
    history = without_pools(read, notice, new)
    if not history:
        notice(
            f"inconclusive: {folder} holds no older run of {new.info.model.name or 'this model'} on this hardware; add this one to it"
        )
        return INCONCLUSIVE
    dates = " to ".join(dict.fromkeys(run.info.created_at[:10] for run in (history[0], history[-1])))
    notice(f"A: {counted(len(history), 'run')} of {folder}, {dates}; B: {path}")
    found = compare(newest_of_each(summarise(history)), summarise([new]), metric, noise=noise)
    _show(found, format_)
    lost = LIMIT if limit is None else limit
    said = gate(found, lost)
    if said.outcome == "inconclusive":
        notice(f"inconclusive: {wording.not_excluded(found, said.open, lost)}")
        return INCONCLUSIVE
    return _status(found, lost)


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
