"""`export`: what was measured as a folder that runs without inferometer."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer.cli.common import notice, results_of
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError


@click.command("export")
@click.argument("run", type=PATH, metavar="DIR")
@click.argument("cell", required=False, metavar="[CELL]")
@click.option("--recommended", is_flag=True, help="The recommended cell; so it is without CELL, too.")
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="A new folder.")
def export_command(*, run: Path, cell: str | None, recommended: bool, out: Path) -> int:
    """Write a measured cell as a folder that runs without inferometer: model, infer.py, requirements, proof, README.

    CELL is FRAMEWORK/PRECISION/BATCH, as in onnxrt/fp32/8; more of its name (/DEVICE/MODE) tells two of one name apart.
    """
    from inferometer.exporting import chosen
    from inferometer.exporting.written import check_out, export

    if cell is not None and recommended:
        raise UsageError(f"CELL '{cell}' and --recommended exclude each other; leave one out")
    check_out(out)
    results = results_of((run,))
    summary = chosen.recommended(results) if cell is None else chosen.named(cell, results)
    export(summary, out, notice)
    click.echo(str(out))
    return 0
