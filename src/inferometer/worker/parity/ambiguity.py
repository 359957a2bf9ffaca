"""How far the reference differs from itself, which no framework can be blamed for.

When a reference is made, its first rows are computed again in other ways (`models.steps.checks`), each a kind:
    optimised   with the graph optimisations that the reference leaves out, or without those it has
    alone       one row at a time instead of several
    moved       inputs and weights moved by one unit in the last place of fp32, up or down by chance
    fp16, bf16  by one unit in the last place of that type: what its storage alone may do to this model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.parity.arrays import smallest_cosine
from inferometer.worker.parity.slices import Cut, deviations

OWN = ("optimised", "alone", "moved")  # kinds that concern every precision
STORAGE = {"tf32": ("fp16",), "fp16": ("fp16",), "bf16": ("bf16",), "int8": ("fp16",)}
Kind = Sequence[Any]  # one array an output
_REACH_OWN, _REACH_STORAGE, _REACH_INT8 = 2.5, 1.5, 4.0
_SLOPE, _SLOPE_OWN = {"fp16": 0.25, "bf16": 0.35}, 0.35  # measured: 0.20, 0.25; int8 0.16


def reach(kind: str, precision: str) -> float:
    """Return how many times a kind's ambiguity a right framework may differ (docs/models.md: measured 2.0, 1.2 and 2.6).

    A unit in the last place is more than storing a value in a type does, half a unit at most, but not what its sums do.
    Rounding to int8 is all or nothing: what one trial moved tells less of the next.
    """
    if kind in OWN:
        return _REACH_INT8 if precision == "int8" else _REACH_OWN
    return _REACH_STORAGE


@dataclass(frozen=True)
class Ambiguity:
    """The first rows of the reference, and what else they might have been, by kind."""

    reference: Kind
    kinds: Mapping[str, Kind]

    @classmethod
    def load(cls, path: Path) -> Ambiguity:
        """Read what `models.steps.checks` stored: arrays called KIND/OUTPUT."""
        found: dict[str, list[Any]] = {}
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                found.setdefault(name.partition("/")[0], []).append(file[name])
        return cls(found.pop("reference"), found)

    def concerning(self, precision: str) -> list[str]:
        """Return the kinds that a precision may differ by; int8's optimised kernels may be wrong by overflow."""
        wanted = [kind for kind in (*OWN, *STORAGE.get(precision, ())) if kind in self.kinds]
        return [kind for kind in wanted if precision != "int8" or kind != "optimised"]

    def errors(self, output: int, precision: str, cut: Cut) -> tuple[Any, Any]:
        """Return by which rms the reference differs from itself, and a right framework may; of rows the largest."""
        wanted = self._doubles(self.reference, output)
        concerned = self.concerning(precision)
        if not concerned:
            return np.zeros(1), np.zeros(1)
        found = np.array(
            [
                np.sqrt(cut.means((self._doubles(self.kinds[kind], output) - wanted) ** 2))
                for kind in concerned
            ]
        )
        found = np.max(found, axis=1, keepdims=True) if cut.axis == 0 else found
        reaches = np.array([[reach(kind, precision)] for kind in concerned])
        return np.max(found, axis=0), np.max(found * reaches, axis=0)

    def largest(self, output: int, precision: str) -> float:
        """Return the largest error of any element that a right framework may have."""
        wanted = self._doubles(self.reference, output)
        found = [
            reach(kind, precision) * float(np.max(np.abs(self._doubles(self.kinds[kind], output) - wanted)))
            for kind in self.concerning(precision)
        ]
        return max(found, default=0.0)

    def cosine(self, output: int, precision: str) -> float:
        """Return the smallest cosine similarity that a row of a right framework may have: 1 - cosine grows as a square."""
        wanted = self._doubles(self.reference, output)
        found = [
            1
            - reach(kind, precision) ** 2
            * (1 - smallest_cosine(self._doubles(self.kinds[kind], output), wanted))
            for kind in self.concerning(precision)
        ]
        return min(found, default=1.0)

    def gain(self, output: int, precision: str) -> float:
        """Return the largest |slope - 1| that a right framework may have: a share of each kind's relative error."""
        found = [
            _SLOPE.get(kind, _SLOPE_OWN) * relative(self.kinds[kind][output], self.reference[output])
            for kind in self.concerning(precision)
        ]
        return max(found, default=0.0)

    def differing(self, output: int, precision: str) -> float:
        """Return the largest share of an output's integers that a right framework may answer otherwise."""
        wanted = self._doubles(self.reference, output)
        found = [
            reach(kind, precision) * float(np.mean(self._doubles(self.kinds[kind], output) != wanted))
            for kind in self.concerning(precision)
        ]
        return max(found, default=0.0)

    def _doubles(self, outputs: Kind, output: int) -> Any:
        return np.asarray(outputs[output], np.float64)

    def relative(self, kind: str) -> list[float]:
        """Return for each output the rms difference of a kind over the spread between inputs."""
        return [relative(other, wanted) for other, wanted in zip(self.kinds[kind], self.reference)]

    def facts(self) -> dict[str, float]:
        """Return for each kind the rms difference over the spread between inputs, the worst output's."""
        return {kind: max(self.relative(kind)) for kind in self.kinds}


def relative(other: Any, reference: Any) -> float:
    """Return the rms difference of two outputs over the rms by which the reference differs between inputs."""
    a, e = np.asarray(other, np.float64), np.asarray(reference, np.float64)
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # infinite outputs are refused where outputs are judged
        error, spread = np.sqrt(np.mean((a - e) ** 2)), np.sqrt(np.mean(deviations(e)))
    return float(error / spread) if spread > 0 else (0.0 if error == 0 else float("inf"))
