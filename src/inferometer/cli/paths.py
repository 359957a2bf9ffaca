"""Paths given on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from inferometer.errors import UsageError


class NamedPath(click.Path):
    """A path that is not empty: "" would mean the current folder, and comes of a variable that is not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; UsageError where it is empty."""
        if not os.fspath(value):
            raise UsageError(
                f"{_option(param)}: the path is empty; give a file or a folder, '.' for the current one"
            )
        return super().convert(value, param, ctx)


def _option(param: click.Parameter | None) -> str:
    if param is None:
        return "path"
    return param.opts[0] if isinstance(param, click.Option) else param.human_readable_name.strip("[].")


PATH = NamedPath(path_type=Path)
