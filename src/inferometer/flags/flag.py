"""A flag as data: what a reader of a cell must know besides its numbers."""

from __future__ import annotations

import msgspec

Value = float | int | str

CELL = "cell"  # concerns every figure of a cell
ENERGY = "energy"  # concerns joules and watts only
INTERVAL = "interval"  # concerns the interval of the very figure


class Flag(msgspec.Struct, frozen=True, gc=False):
    """One thing to know: a kind of `KINDS` (or of a newer version's), what it concerns, and its values in SI units."""

    kind: str
    scope: str = CELL
    values: dict[str, Value] = {}

    def __hash__(self) -> int:
        return hash((self.kind, self.scope, tuple(sorted(self.values.items()))))
