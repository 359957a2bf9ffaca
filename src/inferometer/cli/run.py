"""`inferometer run` and `inferometer show`."""

from __future__ import annotations

import csv
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from inferometer.api import default_out, make_request, model_request
from inferometer.cli.common import notice
from inferometer.cli.energy import meter_option, powercap_option
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError
from inferometer.planning.presets import PRESETS
from inferometer.planning.request import RunRequest
from inferometer.running.parallel import devices_at_once
from inferometer.running.progress.observer import Observer
from inferometer.running.progress.terminal import shown_progress
from inferometer.running.run import Preparation, execute_prepared, prepare_run, resume
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import RUN_FILE, StoredRun, check_free, read_run

_LARGEST_DIMENSION = 2**31 - 1


def _pairs(option: str, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest):
            raise UsageError(f"{option} '{value}' is not of the form NAME=VALUE")
        pairs[name] = rest
    return pairs


def _shapes(values: tuple[str, ...]) -> dict[str, int]:
    pairs = _pairs("--shape", values)
    for name, text in pairs.items():
        if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= _LARGEST_DIMENSION:
            raise UsageError(
                f"--shape {name}={text}: a dimension is a whole number from 1 to {_LARGEST_DIMENSION}"
            )
    return {name: int(text) for name, text in pairs.items()}


def _ranges(values: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for name, text in _pairs("--input-range", values).items():
        try:
            low, high = (float(part) for part in text.split(":"))
        except ValueError:
            raise UsageError(f"--input-range {name}={text} is not of the form NAME=LOW:HIGH") from None
        if not low < high:
            raise UsageError(f"--input-range {name}={text}: LOW must be below HIGH")
        ranges[name] = (low, high)
    return ranges


@click.command("run")
@click.argument("model", default="mobilenet_v3_large")
@click.option("--preset", default="standard", show_default=True, help=f"Protocol: {', '.join(PRESETS)}.")
@click.option(
    "--frameworks", default="all", show_default=True, help="tf,onnxrt@1.30.0,torch:channels_last,... or all."
)
@click.option("--batch-sizes", help="8,16,64 or 8..512 (powers of two).  [default: the preset's]")
@click.option(
    "--precisions",
    default="fp32",
    show_default=True,
    help="fp32,tf32,fp16,bf16,int8 (tensorrt, quantised files).",
)
@click.option(
    "--modes",
    default="host",
    show_default=True,
    help="host (numpy to numpy), device (resident), host-pipelined.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda:N (as nvidia-smi counts), auto (the first visible GPU, or cpu); several with commas.",
)
@click.option(
    "--at-once",
    is_flag=True,
    help="Measure several devices at the same time, not in turn; every row says so.",
)
@click.option("--images", type=int, help="Images a loop.")
@click.option("--loops", type=int, help="Loops a cell and round.")
@click.option("--warmup", type=int, help="Batches before the loops.")
@click.option(
    "--rounds",
    type=int,
    help="Fresh processes a cell.  [default: the preset's, which may grow with the noise]",
)
@click.option(
    "--budget", "budget_s", type=float, help="Seconds after which a slow cell's loops end (0: never)."
)
@click.option("--timeout", "timeout_s", type=float, help="Seconds after which a cell is stopped.")
@click.option(
    "--threads",
    type=int,
    help="CPU threads of every framework.  [default: all usable cores; with --at-once shared evenly]",
)
@click.option("--seed", type=int, help="Of random weights, generated inputs and the order.")
@click.option("--weights", default="random", show_default=True, help="random, imagenet, or a file.")
@click.option(
    "--image",
    "images_from",
    multiple=True,
    type=PATH,
    help="A photo or a folder of them.",
)
@click.option("--input", "inputs", type=PATH, help="FILE.npz with an array per model input.")
@click.option("--shape", "shapes", multiple=True, help="NAME=N for a symbolic dimension of an ONNX file.")
@click.option("--input-range", "input_ranges", multiple=True, help="NAME=LOW:HIGH for a generated input.")
@click.option(
    "--tolerance",
    type=float,
    help="Relative error of outputs that is no fault, such as 0.01, instead of the limits of parity; every table says so.",
)
@click.option("--trust-model", is_flag=True, help="Let a .keras file run code of its own (Lambda layers).")
@click.option("--python", "pythons", multiple=True, help="NAME=PATH: an interpreter that has the framework.")
@click.option(
    "--accelerator", default="", help="cuda12 or cuda13 requirements instead of the choice by driver and GPU."
)
@click.option(
    "--keep-trying", is_flag=True, help="Go on with larger batch sizes after one ran out of memory."
)
@meter_option
@powercap_option
@click.option("--out", type=PATH, help="The run's directory.  [default: below ./inferometer-runs]")
@click.option("--resume", "resumed", type=PATH, help="Go on with an interrupted run.")
@click.option("--dry-run", is_flag=True, help="Print the plan and an estimate of the time, measure nothing.")
@click.option("--report", is_flag=True, help="Write report.html into the run's directory at the end.")
def run_command(resumed: Path | None, dry_run: bool, out: Path | None, report: bool, **options: Any) -> int:
    """Measure MODEL (a keras.applications name, FILE.onnx or FILE.keras) on every framework this machine can run."""
    if resumed:
        _refuse_other_options()
        return _finish(resumed, lambda observer: resume(resumed, observer), report)
    request = _request(**options)
    if out:
        check_free(out)
    if dry_run:
        _print_plan(request)
        return 0
    target = out or default_out(request)
    preparation = prepare_run(request)
    _announce(preparation)
    return _finish(target, lambda observer: execute_prepared(preparation, target, observer), report)


def _refuse_other_options() -> None:
    """Raise UsageError for options beside --resume: the run goes on as it was begun."""
    context = click.get_current_context()
    given = [
        parameter.opts[0] if isinstance(parameter, click.Option) else "MODEL"
        for parameter in context.command.params
        if parameter.name not in ("resumed", "report")
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(
            f"--resume goes on with the run as it was begun: leave out {', '.join(given)}, or start a new run"
        )


def _request(
    *, model: str, preset: str, batch_sizes: str | None, frameworks: str, precisions: str, modes: str, device: str,
    at_once: bool, weights: str, images_from: tuple[Path, ...], inputs: Path | None, shapes: tuple[str, ...],
    input_ranges: tuple[str, ...], trust_model: bool, pythons: tuple[str, ...], accelerator: str, keep_trying: bool,
    tolerance: float | None, terms: tuple[str, ...], powercap: str | None, **protocol: Any,
) -> RunRequest:  # fmt: skip
    asked = model_request(
        model, weights=weights, seed=protocol["seed"], image=images_from or None, inputs=inputs,
        shapes=_shapes(shapes), input_ranges=_ranges(input_ranges), trust_model=trust_model,
    )  # fmt: skip
    return make_request(
        asked,
        preset=preset,
        batch_sizes=batch_sizes,
        protocol=protocol,
        frameworks=frameworks,
        precisions=precisions,
        modes=modes,
        devices=device,
        at_once=at_once,
        python={name: Path(path) for name, path in _pairs("--python", pythons).items()},
        accelerator=accelerator,
        keep_trying=keep_trying,
        tolerance=tolerance,
        meters=terms,
        powercap=powercap or "",
    )


def _announce(preparation: Preparation) -> None:
    """Say beforehand what will be built and fetched."""
    from inferometer.frameworks.environments import is_built

    rows = preparation.plan.rows.values()
    wanted = {row.requirements.name: row.requirements for row in rows if row.requirements}
    missing = [item for item in wanted.values() if not is_built(item)]
    if missing:
        sizes = ", ".join(f"{item.name} {item.download_text()}" for item in missing)
        click.echo(f"environments to build (downloads where nothing is cached): {sizes}", err=True)


def _finish(path: Path, measure: Callable[[Observer], StoredRun], report: bool) -> int:
    """Run ``measure`` with progress shown; whatever was measured is printed, also after Ctrl-C."""
    code = 0
    try:
        with shown_progress() as observer:
            stored = measure(observer)
    except KeyboardInterrupt:
        code = 130
        if not (path / RUN_FILE).exists():
            click.echo("interrupted before anything was measured", err=True)
            return code
        click.echo(f"interrupted; go on with: inferometer run --resume {shlex.quote(str(path))}", err=True)
        stored = read_run(path)
    if stored.records or stored.info.skips:
        _print_table(stored)
    click.echo(f"run directory: {path}")
    if report and stored.records:
        click.echo(f"report: {_write_report(stored)}")
    return code or _exit_code(stored)


def _write_report(stored: StoredRun) -> Path:
    from inferometer.report.page.html import write_report
    from inferometer.results.summary import summarise

    path = stored.path / "report.html"
    write_report(summarise([stored]), path)
    return path


def _exit_code(stored: StoredRun) -> int:
    """Return 0 if anything was measured; failed cells are data, but a run of nothing else is a failure."""
    return 0 if any(record.status == "ok" for record in stored.records) else 1


def _print_table(stored: StoredRun) -> None:
    from inferometer.cli.overview_table import print_overview
    from inferometer.results.summary import summarise

    print_overview(summarise([stored]))


def _print_plan(request: RunRequest) -> None:
    from inferometer.cli.plan_table import print_plan

    preparation = prepare_run(request)
    at_once = devices_at_once(preparation.request, preparation.plan)
    print_plan(preparation.plan, preparation.request.protocol, at_once=at_once)


@click.command("show")
@click.argument("directory", type=PATH)
@click.option(
    "--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True
)
def show_command(directory: Path, form: str) -> None:
    """Print the table of a run DIRECTORY again."""
    from inferometer.results.summary import summarise
    from inferometer.tables.overview import flat_rows

    runs = find_runs(directory, notice=notice)
    if len(runs) > 1:
        raise UsageError(
            f"{directory} holds {len(runs)} runs: show one, {runs[0]} for instance, or use table or report"
        )
    stored = read_run(runs[0] if runs else directory)
    if form == "text":
        _print_table(stored)
        return
    rows = flat_rows(summarise([stored]))
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
