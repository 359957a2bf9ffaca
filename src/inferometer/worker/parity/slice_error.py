"""The slice of an output that is furthest beyond what it may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.worker.parity.ambiguity import Ambiguity
from inferometer.worker.parity.limits import Limit
from inferometer.worker.parity.slices import Cut, cuts, deviations

UNITS = 4.0  # of the last place: what any slice may be off, were it the same for every input
MOST = 0.8  # of the spread, however ambiguous the model: a constant differs by 1 and another row by 1.4

Doubt = tuple["Ambiguity | None", str]  # the reference's ambiguity, where it was measured, and the precision


@dataclass(frozen=True)
class SliceError:
    """One slice: rms error and its limit, both over the spread of its values between inputs."""

    name: str
    error: float
    limit: float
    excess: float  # error over limit
    rms: float  # of the error itself
    channel: bool = False  # of an axis other than the rows

    @property
    def cause(self) -> str:
        """Return why the slice fails, or ''."""
        if self.excess <= 1:
            return ""
        if not np.isfinite(self.error):
            return f"{self.name}: rms error {self.rms:.2e} where the reference is the same for every input"
        return f"{self.name}: rms error {self.error:.2e} of its spread between inputs, the limit is {self.limit:.1e}"


def worst_slices(
    actual: Any, expected: Any, limit: Limit, output: int, distinct: int | None, *, doubt: Doubt
) -> list[SliceError]:
    """Return of each cut the slice that is furthest beyond its limit, or nearest to it. Arrays are float64."""
    squares = (actual - expected) ** 2
    spread = deviations(expected, distinct)
    rows = len(expected[:distinct]) if expected.ndim else 1
    return [
        _of_cut(cut, squares, expected, spread, limit=limit, output=output, doubt=doubt)
        for cut in cuts(expected.shape, rows)
    ]


def causes(slices: Sequence[SliceError]) -> list[str]:
    """Return why the furthest slice fails, after the furthest channel where that is another; [] if none fails."""
    by_excess = sorted(slices, key=lambda item: -item.excess)
    channels = [item for item in by_excess if item.channel]
    return list(dict.fromkeys(item.cause for item in (*channels[:1], *by_excess[:1]) if item.cause))


def _of_cut(
    cut: Cut, squares: Any, expected: Any, deviations: Any, *, limit: Limit, output: int, doubt: Doubt
) -> SliceError:
    error, spread = np.sqrt(cut.means(squares)), np.sqrt(cut.means(deviations))
    if cut.axis == 0:
        spread = np.maximum(spread, np.median(spread) / 2)  # a row near the mean of all is no smaller a task
    stored = UNITS * limit.unit * np.sqrt(cut.means(expected**2))
    allowed = np.maximum(limit.slice_rel * spread, stored)
    ambiguity, precision = doubt
    if ambiguity:
        own, reached = (_usual(errors, spread) for errors in ambiguity.errors(output, precision, cut))
        allowed = np.maximum(allowed, np.minimum(reached, np.maximum(own, MOST * spread)))
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(error > 0, error / allowed, 0.0)
        relatives = np.where(error > 0, error / spread, 0.0)
        limits = allowed / spread
    place = int(np.argmax(excess))
    return SliceError(
        cut.name(output, place, expected.shape[cut.axis] if cut.axis is not None else 1),
        float(relatives[place]),
        float(limits[place]),
        float(excess[place]),
        float(error[place]),
        bool(cut.axis),
    )


def _usual(errors: Any, spread: Any) -> Any:
    """Return the errors of slices, none below what is usual among them: they are known from a few rows only."""
    known = spread > 0
    usual = np.median((errors / np.where(known, spread, 1.0))[known]) if np.any(known) else 0.0
    return np.maximum(errors, usual * spread)
