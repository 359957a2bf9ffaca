"""`cache`: what lies in the user's cache, whether it is as it was made, and what may go."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import click
from rich import box
from rich.table import Table

from inferometer import units
from inferometer.cli.common import console
from inferometer.cli.groups import CommandGroup
from inferometer.errors import InferometerError, UsageError
from inferometer.frameworks import environments
from inferometer.models import artifact_cache
from inferometer.storage.cache import cache_folder

_UNITS_S = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True)
class _Item:
    kind: str
    name: str
    size_bytes: int
    used_at: float
    verify: Callable[[], str]  # why it is damaged, "" if it is not
    remove: Callable[[], None]


@click.group("cache", cls=CommandGroup)
def cache_command() -> None:
    """Verify, list or prune what is cached: environments, and models in the forms that frameworks take."""


@cache_command.command("list")
def cache_list() -> None:
    """List what is cached, the largest first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("kind", "name", "size", "last used"):
        table.add_column(title, justify="right" if title == "size" else "left", overflow="fold")
    items = sorted(_items(), key=lambda item: -item.size_bytes)
    for item in items:
        used = time.strftime("%Y-%m-%d", time.localtime(item.used_at))
        table.add_row(item.kind, item.name, units.size(item.size_bytes), used)
    console().print(table)
    total = sum(item.size_bytes for item in items)
    click.echo(f"{units.counted(len(items), 'item')}, {units.size(total)} in {cache_folder()}")


@cache_command.command("verify")
def cache_verify() -> int:
    """Read everything that is cached and remove what is not as it was made; it is made anew when next asked for.

    Ends with status 1 where something was damaged.
    """
    damaged, items = 0, list(_items())
    for item in items:
        flaw = item.verify()
        if not flaw:
            continue
        damaged += 1
        click.echo(f"damaged: {item.kind} {item.name}: {flaw}")
        _remove(item)
    click.echo(f"{units.counted(len(items), 'item')} read, {damaged} damaged")
    return 1 if damaged else 0


@cache_command.command("prune")
@click.option("--older-than", metavar="TIME", required=True, help="Not used for so long: 12h, 30d, 8w.")
def cache_prune(older_than: str) -> int:
    """Remove what was not used for a time, and what killed processes left."""
    limit = time.time() - _seconds(older_than)
    freed = 0
    for item in _items():
        if item.used_at < limit and _remove(item):
            freed += item.size_bytes
    for folder in [*environments.remove_partial(), *artifact_cache.remove_partial(cache_folder("models"))]:
        click.echo(f"removed {folder.name}, left by a process that was killed")
    click.echo(f"freed {units.size(freed)}")
    return 0


def _remove(item: _Item) -> bool:
    try:
        item.remove()
    except (InferometerError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        click.echo(f"kept {item.kind} {item.name}: {reason}", err=True)
        return False
    click.echo(f"removed {item.kind} {item.name}, {units.size(item.size_bytes)}")
    return True


def _items() -> Iterator[_Item]:
    for found in environments.list_installed():
        yield _Item(
            "environment", found.name, found.size_bytes, found.used_at,
            partial(environments.verify, found.folder), partial(environments.remove, found.folder),
        )  # fmt: skip
    for entry in artifact_cache.entries(cache_folder("models")):
        yield _Item(
            "model", f"{entry.folder.name} ({entry.step})", entry.size_bytes, entry.used_at,
            partial(artifact_cache.verify, entry.folder), partial(artifact_cache.remove, entry.folder),
        )  # fmt: skip


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([hdw])", text.strip())
    if match is None:
        raise UsageError(f"--older-than {text!r} is no time: give a number with h, d or w, such as 30d")
    return int(match[1]) * _UNITS_S[match[2]]
