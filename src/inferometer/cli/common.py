"""What the commands that read runs have in common: their argument, its results, shares, the console they print on."""

from __future__ import annotations

import contextlib
import gc
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType

from inferometer.cli.paths import PATH
from inferometer.errors import UsageError
from inferometer.escapes import shown
from inferometer.redaction import redacted
from inferometer.results import summary_cache
from inferometer.results.cells import Results
from inferometer.results.opening import open_results
from inferometer.results.packed import Packed
from inferometer.threads import in_thread

Command = Callable[..., Any]
_TURN_S = 0.0005  # after which a thread that only waits for files or for another process is let in
RUNS = click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")


def with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that gives a command all of ``options``, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


# what `recommendation.objectives.Prices` is made of
prices_options = with_options(
    click.option("--price-per-kwh", type=float, default=0.30, show_default=True),
    click.option(
        "--price-per-hour", type=float, default=0.0, show_default=True, help="Of the machine itself."
    ),
    click.option("--currency", default="EUR", show_default=True, help="Of both prices, as shown."),
)


def results_of(runs: Sequence[Path]) -> Results:
    """Return the given run directories, or those in the given folders, summarised together."""
    sys.setswitchinterval(_TURN_S)
    found = open_results(runs, notice=notice, keep=_keep_meanwhile)
    gc.freeze()  # it stays to the end: the collector need not go through it again and again
    return found


def _keep_meanwhile(results: Results, packed: Packed) -> None:
    """Keep the summaries of a run beside it while the command goes on, which ends when they are."""
    threads, keep = contextlib.ExitStack(), summary_cache.prepare(results, packed)
    click.get_current_context().call_on_close(threads.close)
    if in_thread(threads, keep) is None:
        keep()


def notice(text: str) -> None:
    """Print a line that is no part of the result."""
    click.echo(f"inferometer: {shown(redacted(text))}", err=True)


def console() -> Console:
    """Return a console that wraps for a terminal only: what reads a pipe wants whole lines."""
    screen = _Screen()
    return screen if screen.is_terminal else _Screen(width=400)


def print_parts(parts: Iterable[RenderableType]) -> None:
    """Print what is for the terminal, part by part."""
    screen = console()
    for part in parts:
        screen.print(part)


def has_signs() -> bool:
    """Return whether the terminal, or what reads us, takes marks beyond ASCII."""
    return (console().encoding or "").lower().startswith("utf")


def has_few_colours() -> bool:
    """Return whether the terminal has 16 colours and no more."""
    return console().color_system in ("standard", "windows")


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Let the error through: rich would end the process with status 1, `inferometer.cli.invoke` knows better."""
        raise BrokenPipeError


def share(text: str, option: str, *, whole: bool = False, growth: bool = False) -> float:
    """Return "3%", "3 %" or "0.03" as 0.03; UsageError if it is none or not below 1.

    ``whole``: 1 is allowed; ``growth``: so is more, as of what can grow by any share.
    """
    plain = text.strip()
    try:
        value = float(plain.rstrip("% ")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not (0 <= value < 1 or (whole and value == 1) or (growth and 1 <= value < math.inf)):
        limit = "at most 100 %, such as 99% or 0.99" if whole else "below 100 %, such as 3% or 0.03"
        raise UsageError(f"{option} {text!r} is no share: give at least 0 and {limit}")
    return value
