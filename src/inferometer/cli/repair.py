"""`repair`: a damaged run directory made readable again."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from inferometer.cli.paths import PATH
from inferometer.units import counted

_SHOWN = 20


@click.command("repair")
@click.argument("directory", type=PATH, metavar="DIR")
def repair_command(*, directory: Path) -> int:
    """Keep what is sound of the run DIR, set the damaged files aside, and say what was lost."""
    from inferometer.storage.repair import repair
    from inferometer.storage.run_directory import read_run

    done = repair(directory)
    if not done.lost and not done.aside:
        click.echo(f"{directory} is sound: nothing was changed")
        return 0
    for line in done.lost[:_SHOWN]:
        click.echo(f"lost: {line}")
    if len(done.lost) > _SHOWN:
        click.echo(f"lost: and {len(done.lost) - _SHOWN} more")
    click.echo(f"kept: {counted(done.kept, 'record')}")
    for path in done.aside:
        click.echo(f"set aside as it was: {path}")
    run = read_run(directory)
    if run.missing and run.info.request:
        click.echo(f"measure what is missing: inferometer run --resume {shlex.quote(str(directory))}")
    return 0
