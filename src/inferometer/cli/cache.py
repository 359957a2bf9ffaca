"""`cache`: what lies in the user's cache, whether it is as it was made, and what may go."""

from __future__ import annotations

import itertools
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
from inferometer.fleet import kept as fleets
from inferometer.frameworks import environments
from inferometer.models import artifact_cache
from inferometer.storage import build
from inferometer.storage.cache import cache_folder
from inferometer.storage.kept import BUNDLED, SENT, Kept, kept_in

_UNITS_S = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True)
class _Item:
    kind: str
    name: str
    size_bytes: int
    used_at: float
    verify: Callable[[], str] | None  # why it is damaged, "" if it is not; None where nothing tells
    remove: Callable[[], None]


@click.group("cache", cls=CommandGroup)
def cache_command() -> None:
    """Verify, list or prune what is cached: environments, models in the forms that frameworks take, and what fleets and bundles brought."""


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
    damaged, items = 0, [item for item in _items() if item.verify]
    for item in items:
        flaw = item.verify() if item.verify else ""
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
    left = (build.remove_partial(cache_folder() / name) for name in ("models", SENT, BUNDLED))
    for folder in [*environments.remove_partial(), *itertools.chain.from_iterable(left)]:
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
    for root in (cache_folder() / "models", *(cache_folder() / "models-by-given").glob("*/")):
        for entry in artifact_cache.entries(root):
            yield _Item(
                "model", f"{entry.folder.name} ({entry.step})", entry.size_bytes, entry.used_at,
                partial(artifact_cache.verify, entry.folder), partial(artifact_cache.remove, entry.folder),
            )  # fmt: skip
    for kind, lying, verify, remove in (
        ("fleet part", fleets.parts(), None, fleets.remove_part),
        ("fleet file", fleets.files(), fleets.flaw_of, fleets.remove_file),
        ("fleet piece", fleets.incoming(), None, fleets.remove_incoming),
        ("bundled file", kept_in(cache_folder() / BUNDLED, reading_counts=True), None, _remove_kept),
        ("given file", kept_in(cache_folder() / "given", reading_counts=True), None, _remove_kept),
    ):
        for kept in lying:
            yield _item_of(kind, kept, verify, remove)


def _item_of(
    kind: str, kept: Kept, verify: Callable[[Kept], str] | None, remove: Callable[[Kept], None]
) -> _Item:
    """Return a file or folder that is kept, by a name that tells a person what it is."""
    name = kept.path.name
    if kind == "fleet part":
        name = f"{kept.path.parent.name}/{name}"
    elif kept.path.is_dir():
        name = f"{name} ({kept.holds})"
    return _Item(
        kind, name, kept.size_bytes, kept.used_at, partial(verify, kept) if verify else None, partial(remove, kept)
    )  # fmt: skip


def _remove_kept(kept: Kept) -> None:
    build.remove_built(kept.path)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([hdw])", text.strip())
    if match is None:
        raise UsageError(f"--older-than {text!r} is no time: give a number with h, d or w, such as 30d")
    return int(match[1]) * _UNITS_S[match[2]]
