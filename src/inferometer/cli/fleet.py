"""`run --cluster`: a live table of nodes, and what came back at the end."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from rich import box
from rich.live import Live
from rich.table import Table

from inferometer.cli.common import console, notice
from inferometer.cli.ending import INTERRUPTED, INTERRUPTED_STATUS, ended
from inferometer.errors import InferometerError
from inferometer.escapes import shown
from inferometer.fleet.address import meant
from inferometer.fleet.cluster import Cluster
from inferometer.fleet.connection import connected
from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.measurement import Job
from inferometer.fleet.nodes import Selection, by_kind, wanted
from inferometer.fleet.plans import ViewPlan, check, plan_views
from inferometer.fleet.sessions import begin, go_on
from inferometer.planning.request import RunRequest
from inferometer.redaction import redacted
from inferometer.results.opening import open_results
from inferometer.storage.run_directory import check_can_be_made, check_free
from inferometer.units import counted, grouped


def run_on_cluster(address: str, request: RunRequest, nodes: str | None, out: Path, report: bool) -> int:
    """Measure on a cluster's nodes and print what came back."""
    _check(address, request, nodes)
    check_free(out)
    check_can_be_made(out)
    return _run(address, report, lambda cluster, watcher: begin(cluster, request, nodes, out, watcher))


def resume_on_cluster(address: str, resumed: Path, report: bool) -> int:
    """Go on with a run over a cluster."""
    meant(address)
    if resumed.exists():
        FleetFolder(resumed).read()
    return _run(address, report, lambda cluster, watcher: go_on(cluster, resumed, watcher))


def print_cluster_plan(address: str, request: RunRequest, asked: str | None) -> int:
    """Print the nodes by kind, which of them would measure, and what."""
    selection = _check(address, request, asked)
    with connected(address) as cluster:
        nodes = cluster.ask(cluster.seen(), "", notice)
    for warning in filter(None, (node.warning for node in nodes)):
        notice(warning)
    sound = [node for node in nodes if not node.refusal]
    plans = plan_views(request, sound)
    able = wanted([node for node in sound if plans[node.view].plan], selection, {})
    # of a kind of which none can, those that would be taken say why
    unable = wanted(sound, selection, Counter(node.kind for node in able))
    chosen = {node.id for node in [*able, *unable]}
    for kind, members in by_kind(sound).items():
        taken = [node for node in members if node.id in chosen]
        names = ", ".join(node.name for node in taken)
        left = ", ".join(node.name for node in members if node not in taken)
        click.echo(f"{kind.title}: {'; '.join(filter(None, (names, left and f'not asked for: {left}')))}")
        for view in dict.fromkeys(node.view for node in taken):
            _print_plan(plans[view])
    return 0 if able else 1


def _check(address: str, request: RunRequest, nodes: str | None) -> Selection:
    """Raise UsageError, before anybody is connected to, for what no cluster could be asked; return what `--nodes` asks."""
    meant(address)
    selection = Selection.parse(nodes)
    check(request)
    return selection


def _print_plan(planned: ViewPlan) -> None:
    """Print what would be measured on nodes of one view, and what would not."""
    plan = planned.plan
    if plan is None:
        click.echo(f"  {planned.refusal}")
        return
    rows = dict.fromkeys(f"{cell.framework} on {cell.device}" for cell in plan.cells)
    click.echo(f"  {counted(len(plan.cells), 'cell')}: {', '.join(rows)}")
    for text, names in grouped((skip.reason, skip.cell.framework) for skip in plan.skips).items():
        click.echo(f"  skip {', '.join(names)}: {text}")


def _run(address: str, report: bool, make: Callable[[Cluster, _Screen], Fleet]) -> int:
    """Measure, and print what came back; whenever a Ctrl-C comes, once something was begun the last line says how to go on."""
    begun: list[Fleet] = []
    try:
        with connected(address) as cluster, _screen() as screen:
            begun.append(make(cluster, screen))
            code, reason = _measure(begun[0], screen)
    except KeyboardInterrupt:  # also one that comes while the cluster is left
        if not (begun and begun[0].folder.begun):
            notice("interrupted before anything was measured")
            return INTERRUPTED_STATUS
        code, reason = INTERRUPTED_STATUS, INTERRUPTED
    (fleet,) = begun
    words = shlex.join(["--cluster", address, "--resume", str(fleet.folder.path)])
    return ended(code, lambda: _finish(fleet, report), f"run {words}", reason)


def _measure(fleet: Fleet, screen: _Screen) -> tuple[int, str]:
    """Let a fleet measure; return the exit status and why, as far as they are known by then."""
    threading.Thread(target=_import_tables, daemon=True).start()
    try:
        fleet.run()
    except (InferometerError, OSError) as error:
        if not fleet.jobs:
            raise
        screen.say(str(error))
        return 1, "ended by an error"
    return (1, f"unfinished: {', '.join(fleet.missing)}") if fleet.missing else (0, "")


def _import_tables() -> None:
    """Import what the end takes, while the nodes are waited for."""
    import scipy.special  # noqa: F401

    import inferometer.cli.overview_table  # noqa: F401


def _finish(fleet: Fleet, report: bool) -> int:
    """Print the merged view and where everything lies; return 1 where nothing was measured, or a part of the run is unfinished."""
    runs = fleet.folder.runs(notice)
    merged = fleet.folder.merge(runs)
    measured = any(run.has_figures for run in runs)
    if merged:
        from inferometer.cli.overview_table import print_overview

        print_overview(open_results([fleet.folder.path]))
    for job in fleet.jobs:
        why = f" ({shown(redacted(job.at))})" if job.at else ""
        click.echo(f"{job.slug}: {job.node.kind.title}: {job.state}{why}")
    absent = [slug for slug in fleet.missing if slug not in {job.slug for job in fleet.jobs}]
    for slug in absent:
        kind = fleet.facts["nodes"][slug]["kind"]
        click.echo(f"{slug}: {kind}: unfinished, no node of the cluster went on with it")
    click.echo(f"fleet: {fleet.folder.path} (a run a node in nodes/, merged/ by machine)")
    if report and merged:
        from inferometer.report.page.html import write_report

        path = fleet.folder.path / "report.html"
        write_report(open_results([fleet.folder.path]), path)
        click.echo(f"report: {path}")
    return 0 if measured and not absent and all(job.state == "done" for job in fleet.jobs) else 1


@contextlib.contextmanager
def _screen() -> Iterator[_Screen]:
    screen = console()
    if not screen.is_terminal:
        yield _Screen(None)
        return
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        yield _Screen(live)


class _Screen:
    """A table that is drawn anew in a terminal; elsewhere a line for each node that came further."""

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._told: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Say a line that stays."""
        notice(text)

    def update(self, jobs: Iterable[Job]) -> None:
        """Show what each node is at."""
        if self._live is not None:
            self._live.update(fleet_table(jobs), refresh=True)
            return
        for job in jobs:
            text = f"{job.slug}: {job.state}{f' {job.done}/{job.total}' if job.total else ''}"
            if self._told.get(job.slug) != text:
                self._told[job.slug] = text
                notice(text)


def fleet_table(jobs: Iterable[Job]) -> Table:
    """Return the nodes, what each is at, and how long it will take."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("node", "what it is", "state", "cells", "time left", "at"):
        table.add_column(title, overflow="fold")
    for job in jobs:
        cells = f"{job.done}/{job.total}" if job.total else ""
        table.add_row(job.slug, job.node.kind.title, job.state, cells, job.left, shown(job.at))
    return table
