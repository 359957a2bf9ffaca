"""What an option of a measurement is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inferometer.planning.kinds import Kind


@dataclass(frozen=True)
class Option:
    """One option; ``fills``: fields of the request, with a dot where they are of one of its parts."""

    flag: str
    kind: Kind
    help: str
    fills: tuple[str, ...] = ()
    default: Any = None  # None: the field's own, of a protocol the preset's
    metavar: str | None = None
