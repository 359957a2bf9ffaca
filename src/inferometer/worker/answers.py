"""Outputs beside what the reference says of the same rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.worker import ragged
from inferometer.worker.backend import Outputs

MOST_VALUES = 1 << 22  # compared at once: 32 MiB in double precision, a second
LEAST_ROWS = 8


@dataclass(frozen=True)
class Answers:
    """Rows of every output, as they came and as they should be; the first ``distinct`` rows are of different inputs."""

    outputs: Outputs
    expected: list[Any]
    distinct: int

    @classmethod
    def of(cls, outputs: Outputs, expected: list[Any], distinct: int, which: Collection[int] = ()) -> Answers:
        """Return answers of which the outputs that ``which`` names are of sizes of their own (`worker.ragged`)."""
        return cls(ragged.filled_as(outputs, expected, which), expected, distinct)

    def split(self) -> tuple[Answers, Answers]:
        """Return the distinct rows, and the others."""
        first, rest = slice(0, self.distinct), slice(self.distinct, None)
        return (
            Answers([a[first] for a in self.outputs], [e[first] for e in self.expected], self.distinct),
            Answers([a[rest] for a in self.outputs], [e[rest] for e in self.expected], 0),
        )

    def thinned(self, most_values: int = MOST_VALUES) -> Answers:
        """Return about so many values at most, for time's and memory's sake, and any rows that are not finite.

        Rows beyond the distinct ones repeat their inputs; of large outputs, a few rows fill every slice.
        """
        rows = len(self.expected[0]) if self.fits() and self.expected[0].ndim else 0
        allowed = max(
            LEAST_ROWS, most_values // max(1, sum(array[:1].size for array in self.expected if rows))
        )
        if rows <= allowed:
            return self
        first = min(self.distinct, max(allowed - (rows - self.distinct), allowed * 3 // 4))
        kept = np.zeros(rows, bool)
        kept[np.linspace(0, self.distinct - 1, first).astype(int)] = True
        kept[np.linspace(rows - 1, self.distinct, allowed - first).astype(int)] = True
        for array in self.outputs:
            if array.dtype.kind == "f":
                kept |= ~np.isfinite(array.reshape(rows, -1)).all(axis=1)
        distinct = int(np.count_nonzero(kept[: self.distinct]))
        return Answers([a[kept] for a in self.outputs], [e[kept] for e in self.expected], distinct)

    def fits(self) -> bool:
        """Return whether the outputs are as many and as large as expected, so that they can be put beside others."""
        return [a.shape for a in self.outputs] == [e.shape for e in self.expected]


def together(parts: Sequence[Answers]) -> Answers:
    """Return all rows as one, distinct ones first; the distinct rows of two parts are of different inputs."""
    halves = [part.split() for part in parts]
    ordered = [first for first, _ in halves] + [rest for _, rest in halves]
    return Answers(
        [np.concatenate(arrays) for arrays in zip(*(part.outputs for part in ordered))],
        [np.concatenate(arrays) for arrays in zip(*(part.expected for part in ordered))],
        sum(part.distinct for part in parts),
    )


def join(outputs: Sequence[Outputs]) -> Outputs:
    """Return the outputs of batches as one."""
    return [ragged.concatenated(parts) if np.ndim(parts[0]) else np.asarray(parts) for parts in zip(*outputs)]
