"""`merge`: runs of the same hardware and model as one run directory."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer.cli.common import RUNS, notice
from inferometer.cli.paths import PATH
from inferometer.storage.find import read_runs
from inferometer.units import counted


@click.command("merge")
@RUNS
@click.option(
    "--out",
    type=PATH,
    required=True,
    help="Run directory to write (several machines: one below it for each).",
)
def merge_command(*, runs: tuple[Path, ...], out: Path) -> int:
    """Pool runs of the same hardware and model into one run directory; their rounds count on."""
    from inferometer.storage.merge import merge, write

    for path, info, count in write(merge(read_runs(runs, notice=notice)), out):
        click.echo(
            f"{path}: {counted(info.protocol.rounds, 'round')}, {counted(len(info.cells), 'cell')}, {counted(count, 'record')}"
        )
    return 0
