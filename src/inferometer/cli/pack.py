"""`pack`: a run directory as one file."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer import units
from inferometer.cli.paths import PATH


@click.command("pack")
@click.argument("directory", type=PATH, metavar="DIR")
@click.option("--out", type=PATH, help="Archive to write.  [default: DIR.tar.gz in this folder]")
@click.option(
    "--anonymous",
    is_flag=True,
    help="For publishing: without host name, user, paths, private addresses, serial numbers and logs.",
)
def pack_command(*, directory: Path, out: Path | None, anonymous: bool) -> int:
    """Write the run DIR as one archive, which unpacks to a run directory again."""
    from inferometer.storage.packing import SUFFIX, pack

    target = out or Path(f"{directory.resolve().name}{SUFFIX}")
    count = pack(directory, target, anonymous=anonymous)
    click.echo(f"{target}: {units.counted(count, 'file')}, {units.size(target.stat().st_size)}")
    return 0
