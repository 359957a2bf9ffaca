"""The command that measured a run, to be given again."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

_RENAMED = {"--preset": {"report": "study"}}  # values, as version 0.1 called them


def again(command: str, without: Collection[str] = (), then: Sequence[str] = ()) -> str:
    """Return a command by today's names, without its --out and the options ``without`` (and their values), and with what comes ``then``."""
    try:
        words = shlex.split(command)
    except ValueError:  # an imported run's may be anything
        return command
    left_out = {"--out", *without}
    kept: list[str] = []
    option = ""
    for word in words:
        if option in left_out:  # this is its value
            option = ""
            continue
        renamed = _RENAMED.get(option, {}).get(word, word)
        name, equals, value = word.partition("=")
        option = "" if equals else name
        if name in left_out:
            continue
        kept.append(f"{name}={_RENAMED[name].get(value, value)}" if equals and name in _RENAMED else renamed)
    return shlex.join([*kept, *then])
