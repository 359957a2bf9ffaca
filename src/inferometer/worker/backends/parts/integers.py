"""How much of a quantised model really runs in 8-bit integers: its operators that multiply matrices, by type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from inferometer.worker.flags import Flag, flag

# numpy's and OpenVINO's; "hybrid": LiteRT quantises the values too, batch by batch
_NAMES = frozenset(["int8", "uint8", "hybrid", "i8", "u8", "i4", "u4"])


@dataclass(frozen=True)
class Integers:
    """The operators that multiply matrices, counted by the type that they compute in."""

    types: Counter[str]

    @property
    def integer(self) -> int:
        """Return how many run in integers."""
        return sum(count for name, count in self.types.items() if name in _NAMES)

    @property
    def prevail(self) -> bool:
        """Return whether most of the work is in integers."""
        return 2 * self.integer > self.types.total()

    def flags(self, quantised: bool) -> list[Flag]:
        """Say how many operators of a ``quantised`` model run in floats."""
        left, total = self.types.total() - self.integer, self.types.total()
        return [flag("partly-float", left=left, total=total)] if quantised and left else []
