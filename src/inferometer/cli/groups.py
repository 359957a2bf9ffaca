"""Commands of commands: a word that is none of theirs is told with what there is."""

from __future__ import annotations

from typing import Any

import click

from inferometer.errors import unknown


class CommandGroup(click.Group):
    """A group that names its commands where it is given another."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the first word names; UsageError with those that there are."""
        known = self.list_commands(ctx)
        if args and args[0] not in known:
            kind = "command" if ctx.parent is None else f"command of {ctx.info_name}"
            raise unknown(kind, args[0], known)
        return super().resolve_command(ctx, args)
