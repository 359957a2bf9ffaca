"""`inferometer run`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from inferometer import units
from inferometer.cli.common import notice
from inferometer.cli.ending import INTERRUPTED_STATUS, ended
from inferometer.cli.options import GroupedCommand, all_options, keywords
from inferometer.cli.paths import PATH
from inferometer.energy.meters.discover import check_powercap
from inferometer.errors import UsageError
from inferometer.models.contract import ModelRequest
from inferometer.planning.cpu_shares import devices_at_once
from inferometer.planning.load_request import LoadRequest
from inferometer.planning.plan import Plan, check_any, without_other_batches
from inferometer.planning.request import RunRequest, make_request
from inferometer.running.opening import open_model
from inferometer.running.progress.observer import Observer
from inferometer.running.progress.terminal import shown_progress
from inferometer.running.run import Preparation, execute_prepared, prepare_run, resume
from inferometer.storage.destinations import default_out
from inferometer.storage.find import FLEET_FILE
from inferometer.storage.run_directory import RUN_FILE, StoredRun, check_can_be_made, check_free, read_run


@click.command("run", cls=GroupedCommand)
@click.argument("model", default=ModelRequest.model)
@all_options
@click.option("--out", type=PATH, help="The run's directory.  [default: below ./inferometer-runs]")
@click.option("--resume", "resumed", type=PATH, help="Go on with an interrupted run.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Open the model, print the plan and an estimate of the time, measure nothing.",
)
@click.option("--report", is_flag=True, help="Write report.html into the run's directory at the end.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Measure on a Ray cluster: ray://HOST:10001, HOST:6379 from one of its machines, or local (docs/fleet.md).",
)
@click.option(
    "--nodes",
    metavar="WHICH",
    help="Of a cluster: all, N of each kind, or gpu=H100,A2.  [default: one of each kind]",
)
def run_command(
    *, model: str, out: Path | None, resumed: Path | None, dry_run: bool, report: bool, cluster: str | None, nodes: str | None,
    **options: Any,
) -> int:  # fmt: skip
    """Measure MODEL (a name, a file or a folder: docs/models.md) on every framework this machine can run."""
    if nodes is not None and cluster is None:
        raise UsageError(f"--nodes {nodes} is for --cluster; give its address, or leave it out")
    if cluster is not None:
        from inferometer.cli import fleet

        if resumed:
            _refuse_other_options()
            return fleet.resume_on_cluster(cluster, resumed, report)
        request = make_request(model, **keywords(options))
        if dry_run:
            return fleet.print_cluster_plan(cluster, request, nodes)
        return fleet.run_on_cluster(cluster, request, nodes, out or default_out(request.model.model), report)
    if resumed:
        _refuse_other_options()
        if (resumed / FLEET_FILE).exists():
            raise UsageError(f"{resumed} is a run over a cluster: add --cluster ADDRESS")
        return _finish(resumed, lambda observer: resume(resumed, observer), report)
    request = make_request(model, **keywords(options))
    check_powercap(request.powercap)
    if out:
        check_free(out)
        check_can_be_made(out)
    if dry_run:
        _print_plan(request)
        return 0
    target = out or default_out(request.model.model)
    preparation = prepare_run(request)
    _announce(preparation)
    return _finish(target, lambda observer: execute_prepared(preparation, target, observer), report)


def _refuse_other_options() -> None:
    """Raise UsageError for options beside --resume: the run goes on as it was begun."""
    context = click.get_current_context()
    given = [
        parameter.opts[0] if isinstance(parameter, click.Option) else "MODEL"
        for parameter in context.command.params
        if parameter.name not in ("resumed", "report", "cluster")
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(
            f"--resume goes on with the run as it was begun: leave out {', '.join(given)}, or start a new run"
        )


def _announce(preparation: Preparation) -> None:
    """Say beforehand what will be built and fetched."""
    from inferometer.running.unbuilt import unbuilt

    missing = unbuilt(preparation)
    told = {
        "environments to build (downloads where nothing is cached)": missing.needed,
        "environments to build as far as the model has to be converted": missing.converting,
    }
    for what, items in told.items():
        if items:
            sizes = ", ".join(f"{item.name} {item.download_text()}" for item in items)
            click.echo(f"{what}: {sizes}", err=True)


def _finish(path: Path, measure: Callable[[Observer], StoredRun], report: bool) -> int:
    """Run ``measure`` with progress shown; whatever was measured is printed, also after Ctrl-C."""
    code = 0
    try:
        with shown_progress() as observer:
            stored = measure(observer)
    except KeyboardInterrupt:
        code = INTERRUPTED_STATUS
        if not (path / RUN_FILE).exists():
            notice("interrupted before anything was measured")
            return code
        stored = read_run(path)
    return ended(
        code, lambda: _print_end(path, stored, report=report), f"run --resume {shlex.quote(str(path))}"
    )


def _print_end(path: Path, stored: StoredRun, *, report: bool) -> int:
    """Print what was measured; return 0 if anything was: failed cells are data, but a run of nothing else is a failure."""
    if stored.records or stored.info.skips:
        _print_table(stored)
    click.echo(f"run directory: {path}")
    if report and stored.records:
        click.echo(f"report: {_write_report(stored)}")
    return 0 if stored.has_figures else 1


def _write_report(stored: StoredRun) -> Path:
    from inferometer.report.page.html import write_report
    from inferometer.results.summary import summarise

    path = stored.path / "report.html"
    write_report(summarise([stored]), path)
    return path


def _print_table(stored: StoredRun) -> None:
    from inferometer.cli.load import print_load
    from inferometer.cli.overview_table import print_overview
    from inferometer.results.summary import summarise

    results = summarise([stored])
    print_overview(results)
    print_load(results)


def _load_words(load: LoadRequest, plan: Plan, rounds: int) -> str:
    rows = len({(cell.framework, cell.precision, cell.device) for cell in plan.cells})
    least, most = (units.duration(seconds) for seconds in load.tests_s(rows, rounds))
    takes = least if least == most else f"{least} to {most}"
    return f"after the rounds every row is put under load: {load.words()}; that takes about {takes} more"


def _print_plan(request: RunRequest) -> None:
    from inferometer.cli.plan_table import print_plan

    preparation = prepare_run(request)
    if preparation.situation.notice:
        notice(preparation.situation.notice)
    at_once = devices_at_once(preparation.request, preparation.plan)
    model = open_model(preparation, notice)
    plan, way = preparation.plan, preparation.situation.way
    if not isinstance(model, str):
        if model.stored:
            plan = preparation.as_stored(model.stored).plan
        plan = without_other_batches(plan, model.fixed_batch)
    ways = {form: way(form) for form in plan.forms.values()}
    print_plan(plan, preparation.request.protocol, at_once=at_once, ways=ways, model=model)
    if request.load.scenarios:
        click.echo(_load_words(request.load, plan, preparation.request.protocol.rounds))
    if request.data:
        click.echo(f"after the rounds every row answers {request.data.words()}")
    check_any(plan)
