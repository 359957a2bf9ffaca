"""The slices of an output that are judged apart, each by a scale of its own.

An output, rows (inputs) first, is cut as a whole, by rows, and along every further axis that has few entries: the
channels of a detector, the classes of a classifier. One scale for all of it would let class scores of 0 to 1 vanish
beside boxes in pixels. A slice's scale is how far its values differ between inputs (its spread), since an answer that is
right but for what the input changes is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_ENTRIES = 4096  # of an axis whose entries are judged one by one
LEAST_VALUES = 128  # of a slice: the spread of fewer is mostly chance, so neighbours are taken together


@dataclass(frozen=True)
class Cut:
    """One way to cut an array: along ``axis`` (None: not at all), ``step`` adjacent entries a slice."""

    axis: int | None = None
    step: int = 1

    def means(self, values: Any) -> Any:
        """Return the mean of each slice of ``values``, one number a slice."""
        if self.axis is None:
            return np.array([np.mean(values)])
        others = tuple(axis for axis in range(values.ndim) if axis != self.axis)
        entries = np.mean(values, axis=others) if others else values
        starts = np.arange(0, len(entries), self.step)
        counts = np.minimum(self.step, len(entries) - starts)
        return np.add.reduceat(entries, starts) / counts

    def name(self, output: int, place: int, entries: int) -> str:
        """Return what to call a slice: "output 0, row 3", "output 1[:, 24:28]"."""
        if self.axis is None:
            return f"output {output}"
        first = place * self.step
        last = min(first + self.step, entries)
        told = f"{first}" if last - first == 1 else f"{first}:{last}"
        if self.axis == 0:
            return f"output {output}, row {told}"
        return f"output {output}[{', '.join([':'] * self.axis)}, {told}]"


def cuts(shape: tuple[int, ...], rows: int) -> Iterator[Cut]:
    """Yield the cuts of an output; ``rows`` of its rows are distinct."""
    yield Cut()
    if not shape or shape[0] < 1:
        return
    values = int(np.prod(shape[1:]))
    yield Cut(0, min(shape[0], -(-LEAST_VALUES // max(values, 1))))
    for axis in range(1, len(shape)):
        step = -(-LEAST_VALUES // (rows * values // shape[axis] or 1)) if shape[axis] else 1
        if step < shape[axis] <= MOST_ENTRIES:
            yield Cut(axis, step)


def centre_of(reference: Any) -> Any:
    """Return what is the same whatever the input: the mean over rows, or of all where there is one row only."""
    return np.mean(reference, axis=0) if reference.ndim and len(reference) > 1 else np.mean(reference)


def deviations(reference: Any, distinct: int | None = None) -> Any:
    """Return squared deviations from what the first ``distinct`` rows (None: all) have in common, without the bias of few."""
    first = reference[:distinct] if reference.ndim else reference
    rows = len(first) if reference.ndim else 1
    return (reference - centre_of(first)) ** 2 * (rows / (rows - 1) if rows > 1 else 1.0)
