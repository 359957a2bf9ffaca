"""`inferometer import`: other people's CSV files as run directories."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from inferometer import importing
from inferometer.cli.paths import PATH
from inferometer.escapes import shown
from inferometer.importing.longcsv import TARGETS, parse_mapping
from inferometer.importing.places import MODEL, PRECISION
from inferometer.storage.destinations import RUNS_FOLDER, slug
from inferometer.units import counted

_SHOWN = 20


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=PATH)
@click.option(
    "--gpu",
    default="",
    help="Name of the machine or GPU that was measured, where the files have none (of loops: instead of theirs).",
)
@click.option(
    "--variant",
    type=click.Choice(["py", "nb"]),
    help="Script or notebook results, where both are there (default py).",
)
@click.option("--prefix", help="Only loop files whose framework name has this prefix (v100tf_... -> v100).")
@click.option(
    "--model",
    default="",
    help=f"What was measured, where the files do not say.  [default: {MODEL}, and a line says so]",
)
@click.option(
    "--precision",
    default="",
    help=f"Precision in long tables, where neither a column nor the framework's name says.  [default: {PRECISION}]",
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="TARGET=COLUMN",
    help=f"Column of a long CSV; targets: {', '.join(TARGETS)}.",
)
@click.option(
    "--out",
    type=PATH,
    help="Run directory to write (several machines: one below it for each).  "
    "[default: ./inferometer-runs/import-MACHINE]",
)
@click.option("--strict", is_flag=True, help="Write nothing and fail if any row is malformed.")
def import_command(
    *,
    paths: tuple[Path, ...],
    gpu: str,
    variant: str | None,
    prefix: str | None,
    model: str,
    precision: str,
    mapping: tuple[str, ...],
    out: Path | None,
    strict: bool,
) -> int:
    """Turn CSV files into a run directory.

    PATHS are directories in the study's raw format (files of loops, EMA's files beside them) or long CSV tables.
    """
    request = importing.Request(paths, gpu, variant, prefix, model, precision, parse_mapping(mapping))
    imported = importing.read(request, " ".join(["inferometer", *sys.argv[1:]]))
    _list("skipped", imported.skipped)
    _list("malformed", imported.problems)
    _list("assumed", imported.assumed)
    if strict and imported.problems:
        click.echo(
            f"inferometer: {counted(len(imported.problems), 'malformed row')} and --strict: nothing written",
            err=True,
        )
        return 1
    names = [info.machine.name for info, _ in imported.runs]
    target = out or RUNS_FOLDER / ("import-" + (slug(names[0]) if len(names) == 1 else "several"))
    for path, (info, records) in zip(importing.write(imported, target), imported.runs, strict=True):
        loops = sum(len(record.loops) for record in records)
        click.echo(
            f"{path}: {shown(info.machine.name)}: {counted(len(info.cells), 'cell')}, {counted(loops, 'loop')}"
        )
    return 0


def _list(word: str, lines: tuple[str, ...]) -> None:
    for line in lines[:_SHOWN]:
        click.echo(f"{word}: {shown(' '.join(line.split()))}", err=True)
    if len(lines) > _SHOWN:
        click.echo(f"{word}: and {len(lines) - _SHOWN} more (all are in the run's notes)", err=True)
