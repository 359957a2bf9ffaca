"""The table of options (`planning.options`) as the command line's: made, grouped in the help, and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import click

from inferometer.cli.paths import PATH, NamedPath
from inferometer.planning.options import GROUPS, OPTIONS, Options

_F = TypeVar("_F", bound=Callable[..., Any])
_TYPES: Mapping[str, Any] = {
    "text": str,
    "whole": int,
    "real": float,
    "switch": bool,
    "path": PATH,
    "folder": NamedPath(file_okay=False),
}


def option(name: str, parameter: str | None = None) -> Callable[[_F], _F]:
    """Return the decorator that adds an option of the table to a command, as ``parameter`` (default: its keyword)."""
    entry = OPTIONS[name]
    settings: dict[str, Any] = {"multiple": True} if entry.kind.many else {"default": entry.default or None}
    if entry.kind.word == "switch":
        settings = {"is_flag": True}
    return click.option(
        entry.flag,
        parameter or name,
        type=_TYPES[entry.kind.word],
        help=entry.help,
        metavar=entry.metavar,
        show_default=bool(entry.default),
        **settings,
    )


def all_options(function: _F) -> _F:
    """Add every option of the table to a command, in its order."""
    for name in reversed(list(OPTIONS)):
        function = option(name)(function)
    return function


def keywords(words: Mapping[str, Any]) -> Options:
    """Return what was given on the command line as keywords of `inferometer.run`; UsageError where a word means nothing."""
    given = {name: value for name, value in words.items() if value is not None and value != ()}
    read = {name: OPTIONS[name].kind.from_words(OPTIONS[name].flag, value) for name, value in given.items()}
    return cast("Options", read)


class GroupedCommand(click.Command):
    """A command whose help shows the table's options by their groups, and its own after them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section a group."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        lines = {str(p.name): line for p in options if (line := p.get_help_record(ctx))}
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([lines.pop(name) for name in names])
        with formatter.section("This run"):
            formatter.write_dl(list(lines.values()))
