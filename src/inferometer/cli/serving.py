"""`serve`: the live report of a folder of runs."""

from __future__ import annotations

from pathlib import Path

import click

from inferometer.cli.common import notice
from inferometer.cli.paths import PATH
from inferometer.errors import UsageError
from inferometer.storage.destinations import RUNS_FOLDER

DEFAULT_PORT = 8765


@click.command("serve")
@click.argument("runs_dir", default=RUNS_FOLDER, type=PATH, metavar="[RUNS_DIR]")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to bind; the default is this machine only.",
)
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free port."
)
@click.option("--title", default=None, help="Heading of the page; default: its models and machines.")
def serve_command(*, runs_dir: Path, host: str, port: int, title: str | None) -> int:
    """Serve the report of every run below RUNS_DIR (default: ./inferometer-runs), live, until Ctrl-C."""
    from inferometer.report.page.live import LiveFolder
    from inferometer.report.page.serve import is_local, open_server

    if not host.strip():  # a socket takes it for all interfaces
        raise UsageError("--host is empty; give 127.0.0.1 for this machine only, 0.0.0.0 for everyone")
    if not runs_dir.is_dir():
        raise UsageError(f"{runs_dir} is no folder; give the folder that holds your run directories")
    server = open_server(LiveFolder(runs_dir, title or ""), host, port, notice)
    if not is_local(host):
        click.echo(f"inferometer: everyone who can reach {host} can read these results", err=True)
    try:
        server.serve_forever(lambda: click.echo(f"Serving {runs_dir} on {server.url} (Ctrl-C stops)"))
    except KeyboardInterrupt:
        click.echo("stopped")
    finally:
        server.server_close()
    return 0
