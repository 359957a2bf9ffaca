"""How much of a quantised model really runs in 8-bit integers, or with weights in them: its operators that multiply matrices, by type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from inferometer.worker.flags import Flag, flag
from inferometer.worker.precisions import WEIGHTS

_INTEGERS = frozenset(["int8", "uint8", "i8", "u8", "i4", "u4"])  # numpy's names and OpenVINO's
_KEPT = _INTEGERS | {WEIGHTS}


@dataclass(frozen=True)
class Integers:
    """The operators that multiply matrices, counted by the type that they compute in, or `WEIGHTS`."""

    types: Counter[str]

    @property
    def precision(self) -> str:
        """Return what most of the work is in: "int8", `WEIGHTS`, or "" for floats."""
        if self._most(_INTEGERS):
            return "int8"
        return WEIGHTS if self._most(_KEPT) else ""

    @property
    def prevail(self) -> bool:
        """Return whether most of the work is in integers, values and weights."""
        return self.precision == "int8"

    def flags(self, quantised: bool) -> list[Flag]:
        """Say how many operators of a ``quantised`` model run in floats, or have no weights in integers."""
        left, total = self.types.total() - self._count(_KEPT), self.types.total()
        if not quantised or not left:
            return []
        if self.precision == WEIGHTS:
            return [flag("float-weights", left=left, total=total)]
        return [flag("partly-float", left=left, total=total)]

    def _most(self, names: frozenset[str]) -> bool:
        return 2 * self._count(names) > self.types.total()

    def _count(self, names: frozenset[str]) -> int:
        return sum(count for name, count in self.types.items() if name in names)
