"""Commands about energy: `measure` any command; list, characterize and publish meters."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inferometer.cli.common import notice
from inferometer.cli.groups import CommandGroup
from inferometer.cli.options import option
from inferometer.cli.paths import NamedPath
from inferometer.energy.meters.served_lines import SOCKET, SOCKET_VARIABLE
from inferometer.errors import MeterError, UsageError
from inferometer.escapes import shown
from inferometer.redaction import redacted

if TYPE_CHECKING:
    from inferometer.energy.tools.serve import Access

_meter_option = option("meters", "terms")
_powercap_option = option("powercap")


@click.command("measure", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="Run it so many times.")
@click.option("--csv", "csv_path", type=NamedPath(dir_okay=False), help="Also write a row a run and device.")
@_meter_option
@_powercap_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def measure_command(
    repeat: int, csv_path: str | None, terms: tuple[str, ...], powercap: str | None, command: tuple[str, ...]
) -> int:
    """Energy, time and mean power of any command.

    The command's own output is untouched; the result goes to standard error, and its exit status is kept (the first that
    is not 0, with --repeat).

    \b
    inferometer measure -- python train.py
    inferometer measure --repeat 5 --meter rapl -- ./bench --size 10
    """
    from inferometer.energy.tools.measure import measure

    _check_writable(csv_path)
    runs = measure(command, repeat=repeat, meters=terms, powercap=powercap)
    if runs.caution:
        notice(runs.caution)
    for line in runs.lines():
        click.echo(shown(redacted(line)), err=True)
    if csv_path is not None:
        Path(csv_path).write_text(redacted(runs.to_csv()), encoding="utf-8", newline="")
    return runs.status


@click.group("meters", cls=CommandGroup, invoke_without_command=True)
@_meter_option
@_powercap_option
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def meters_command(ctx: click.Context, terms: tuple[str, ...], powercap: str | None, as_json: bool) -> None:
    """List, characterize, publish or serve this machine's energy meters.

    Without a subcommand: every meter found with device, unit, update period and cost of a read, and why others are absent.
    """
    ctx.obj = (terms, powercap)
    if ctx.invoked_subcommand is not None:
        return
    from inferometer.energy.tools.list_meters import describe_meters, table

    rows = describe_meters(terms, powercap)
    click.echo(shown(redacted(json.dumps(rows, indent=1) if as_json else table(rows))))


@meters_command.command("characterize")
@click.option("--device", metavar="UID", help="Only this one (uid as listed, or cuda:N, cpu).")
@click.option(
    "--python", default=sys.executable, metavar="PATH", help="Interpreter that has torch, for GPUs."
)
@click.option("--quick", is_flag=True, help="A fifth of the time; coarser figures.")
@click.option("--out", type=NamedPath(dir_okay=False), help="Also write the result here, as JSON.")
@click.pass_obj
def characterize_command(
    choice: tuple[tuple[str, ...], str | None], device: str | None, python: str, quick: bool, out: str | None
) -> None:
    """Measure how a meter behaves, with a load; later runs quote the result.

    Update period, averaging window, cost of a read, idle power and drift, and whether part of a load that is on half of
    the time is missed. Takes about a minute and a half for a GPU, and needs the device for itself.
    """
    from inferometer.energy.tools.list_meters import characterize_all

    _check_writable(out)
    terms, powercap = choice
    results = characterize_all(terms, powercap, device=device, python=python, quick=quick, say=click.echo)
    if out is not None:
        Path(out).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


@meters_command.command("publish")
@click.argument("address", metavar="mqtt://HOST[:PORT][/TOPIC]")
@click.option(
    "--interval", default=0.5, type=click.FloatRange(0.01, 3600), help="Seconds between readings (0.5)."
)
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), help="Stop after so many seconds.")
@click.pass_obj
def publish_command(
    choice: tuple[tuple[str, ...], str | None], address: str, interval: float, seconds: float | None
) -> None:
    """Publish this machine's meters over MQTT, in EMA's format, until interrupted.

    Another host reads them with --meter mqtt://HOST[:PORT][/TOPIC]. TLS and password come from EMA_MQTT_TLS=ca[:cert:key]
    and EMA_MQTT_CREDS=user:password.
    """
    from inferometer.energy.meters.broker import Address
    from inferometer.energy.session import open_session
    from inferometer.energy.tools.publish import Publisher

    terms, powercap = choice
    target = Address.parse(address)
    with open_session(meters=terms, powercap=powercap) as session:
        publisher = Publisher(session, target, os.environ)
        for meter in session.meters:
            click.echo(f"{meter.device.name} ({meter.device.type}) on {publisher.topics[meter.device.uid]}")
        stop = _stop_on_signals(seconds)
        publisher.run(stop, interval)
    click.echo(f"{publisher.sent} readings sent")


@meters_command.command("serve")
@click.option(
    "--port",
    default=9748,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Of the metrics, on loopback; 0: any that is free.",
)
@click.option(
    "--group", default="", metavar="NAME", help="Let members of this group measure, through the socket."
)
@click.option("--everyone", is_flag=True, help="Let every user of this host measure, through the socket.")
@click.option(
    "--socket",
    "socket_path",
    type=NamedPath(),
    help=f"Path of the socket.  [default: {SOCKET} with --group or --everyone, else none]",
)
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.01, 60),
    help="Seconds between readings for the metrics.",
)
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), help="Stop after so many seconds.")
@click.pass_obj
def serve_command(
    choice: tuple[tuple[str, ...], str | None],
    *,
    port: int,
    group: str,
    everyone: bool,
    socket_path: str | None,
    interval: float,
    seconds: float | None,
) -> None:
    """Serve this machine's meters until interrupted: as OpenMetrics on loopback, and over a Unix socket.

    Since CVE-2020-8694 RAPL's counters are root's. Started by root with --group or --everyone, this reads them for those users:
    their inferometer finds the socket by itself.

    \b
    sudo inferometer meters serve --group energy
    curl http://127.0.0.1:9748/metrics
    """
    from inferometer.energy.tools.serve import Access

    if group and everyone:
        raise UsageError("--group and --everyone exclude each other")
    path = socket_path or (SOCKET if group or everyone else None)
    access, stop = Access(group, everyone), _stop_on_signals(seconds)
    _serve(choice, port=port, path=Path(path) if path else None, access=access, interval=interval, stop=stop)


def _serve(
    choice: tuple[tuple[str, ...], str | None],
    *,
    port: int,
    path: Path | None,
    access: Access,
    interval: float,
    stop: threading.Event,
) -> None:
    from inferometer.energy.session import open_session
    from inferometer.energy.tools.exporter import exporting
    from inferometer.energy.tools.serve import serving
    from inferometer.energy.tools.shared_meters import shared_session

    terms, powercap = choice
    own = {**os.environ, SOCKET_VARIABLE: ""}  # not through itself
    session, shared = shared_session(open_session(meters=terms, powercap=powercap, environ=own), interval)
    if not session.meters:
        raise MeterError(f"nothing to serve: {session.reason}")
    with contextlib.ExitStack() as open_:
        open_.enter_context(session)
        if path is not None:
            open_.enter_context(serving(shared, path, access))
        bound = open_.enter_context(exporting(session, port))
        for meter in session.meters:
            click.echo(f"{meter.device.name} ({meter.device.type}, {meter.device.meter})")
        click.echo(f"metrics: http://127.0.0.1:{bound}/metrics")
        click.echo(
            f"socket: {path}" if path else "no socket: --group NAME or --everyone lets other users measure"
        )
        stop.wait()


def _stop_on_signals(seconds: float | None) -> threading.Event:
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())  # SIGTERM and SIGHUP do the same (`stopping`)
    if seconds is not None:
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()
    return stop


def _check_writable(path: str | None) -> None:
    """Refuse now what would fail after the measurement; a file that is there keeps its content until then."""
    if path is None:
        return
    file = Path(path)
    is_new = not os.path.lexists(file)
    try:
        file.open("ab").close()
        if is_new:
            file.unlink()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; give another file") from error
