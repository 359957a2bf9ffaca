"""A sample of what the timed loops returned, compared with the reference afterwards.

An answer given before warm-up says nothing of one given later: a stale buffer, a graph captured with the wrong input. A
loop hands over the outputs of one batch by reference; of a few loops, some rows of it are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.backend import Outputs

MOST_LOOPS = 3
MOST_ROWS = 32  # of a batch


class TimedSample:
    """Rows of timed outputs, each with the place that its input has in the stack."""

    def __init__(self, batch_size: int, batches: int, random: np.random.Generator) -> None:
        self._batch_size, self._batches, self._random = batch_size, batches, random
        self._loops = 0
        self._kept: list[tuple[Any, Outputs]] = []

    def wanted(self) -> int:
        """Return the batch whose outputs the next loop is to hand over."""
        return int(self._random.integers(self._batches))

    def add(self, batch: int, outputs: Outputs) -> None:
        """Take what a loop returned for a batch, between the loops; every loop is as likely to be kept."""
        self._loops += 1
        place = len(self._kept) if self._loops <= MOST_LOOPS else int(self._random.integers(self._loops))
        if place >= MOST_LOOPS:
            return
        rows = self._random.permutation(len(outputs[0]) if np.ndim(outputs[0]) else 1)[:MOST_ROWS]
        kept = batch * self._batch_size + rows, [np.atleast_1d(array)[rows] for array in outputs]
        self._kept[place : place + 1] = [kept]

    def __len__(self) -> int:
        return len(self._kept)

    def places(self) -> list[Any]:
        """Return for each kept batch the places of its rows in the stack."""
        return [places for places, _ in self._kept]

    def outputs(self) -> list[Outputs]:
        """Return for each kept batch the outputs of these rows."""
        return [outputs for _, outputs in self._kept]
