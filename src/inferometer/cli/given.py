"""What the commands that read runs share: their argument, its results, the console they print on."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from inferometer.runs import read_runs
from inferometer.summary import Results, summarise

RUNS = click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")


def results_of(runs: tuple[Path, ...]) -> Results:
    """Return the given run directories, or those in the given folders, summarised together."""
    return summarise(read_runs(runs))


def console() -> Console:
    """Return a console that wraps for a terminal only: what reads a pipe wants whole lines."""
    screen = Console()
    return screen if screen.is_terminal else Console(width=400)
