"""What is compared with the reference once a cell's loops are over.

A backend may answer rightly while it is checked and wrongly afterwards: a stale buffer, a captured input. So batches that
it has never had are composed of rows whose answers are known: rows that no timed batch holds, and others in a new order,
in one buffer that every batch overwrites. A sample of what the timed loops returned is compared besides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.aligned import aligned_like
from inferometer.worker.answers import Answers, join, together
from inferometer.worker.backend import Batch, Outputs
from inferometer.worker.data import ImageStack
from inferometer.worker.flags import Flag, flag
from inferometer.worker.modes import Mode
from inferometer.worker.parity import Ambiguity, compare
from inferometer.worker.protocol import Open
from inferometer.worker.timed_sample import TimedSample

LEAST_BATCHES = 2


@dataclass(frozen=True)
class Judge:
    """Compares with the reference at one precision, by what is known of this model."""

    precision: str
    ambiguity: Ambiguity | None = None
    stored: str = ""  # the precision inside the model's file
    tolerance: float | None = None  # the relative error that the user allows instead of all limits

    @classmethod
    def of(cls, request: Open) -> Judge:
        """Return the judge that a request to open an artifact asks for."""
        path = request.checks.get("ambiguity")
        ambiguity = Ambiguity.load(Path(path)) if path else None
        return cls(request.precision, ambiguity, request.checks.get("stored", ""), request.tolerance)

    def compare(self, answers: Answers) -> dict[str, Any]:
        """Return the fields of `records.Parity`."""
        answers = answers.thinned()
        return compare(
            answers.outputs,
            answers.expected,
            self.precision,
            answers.distinct,
            ambiguity=self.ambiguity,
            stored=self.stored,
            tolerance=self.tolerance,
        )

    def flags(self) -> list[Flag]:
        """Return what a reader of any table must know."""
        return [] if self.tolerance is None else [flag("tolerance", limit=self.tolerance)]


@dataclass(frozen=True)
class Aftermath:
    """The checks after one cell's loops."""

    judge: Judge
    stack: ImageStack
    unseen: ImageStack | None  # rows that no timed batch holds, if there are any
    random: np.random.Generator

    def check(
        self, mode: Mode, batch_size: int, known: Answers, sample: TimedSample, limit_s: float
    ) -> dict[str, Any]:
        """Return the fields of `records.Parity` of all answers, ``known`` from before the loops included.

        No batch is begun after ``limit_s`` (0: no limit) but the first two.
        """
        new = self._unseen_answers(mode, batch_size, limit_s)
        timed = [self.stack.expected(places) for places in sample.places()]
        parts = {
            "batches that it had not seen": [new] if new else [],
            "what the timed loops returned": [
                Answers.of(outputs, expected, 0, self.stack.ragged)
                for outputs, expected in zip(sample.outputs(), timed)
            ],
        }
        found = self._compared(known, parts)
        rows = len(new.expected[0]) if new else 0
        return {**found, "unseen": rows, "timed": len(sample)}

    def _compared(self, known: Answers, parts: dict[str, list[Answers]]) -> dict[str, Any]:
        for told, answers in parts.items():
            for part in answers:
                if not part.fits():  # the shapes' own cause, without the others' rows
                    return _named(self.judge.compare(part), told)
        found = self.judge.compare(together([known, *(part for group in parts.values() for part in group)]))
        if not found["passed"]:
            for told, answers in parts.items():
                if answers and not self.judge.compare(together([known, *answers]))["passed"]:
                    return _named(found, told)
        return found

    def _unseen_answers(self, mode: Mode, batch_size: int, limit_s: float) -> Answers | None:
        pools = [self.stack, *([self.unseen] if self.unseen else [])]
        rows = [np.concatenate(arrays) for arrays in zip(*(pool.rows for pool in pools))]
        expected = [np.concatenate(arrays) for arrays in zip(*(pool.reference for pool in pools))]
        known = len(self.stack.rows[0])
        if len(rows[0]) < 2:
            return None
        buffer = tuple(aligned_like(array, batch_size) for array in rows)
        outputs: list[Outputs] = []
        places: list[Any] = []
        start = time.monotonic()
        for chosen in self._orders(known, len(rows[0]), batch_size):
            if limit_s and len(outputs) >= LEAST_BATCHES and time.monotonic() - start > limit_s:
                break
            outputs.append([np.array(array) for array in mode.outputs(_filled(buffer, rows, chosen))])
            places.append(chosen)
        index = np.concatenate(places)
        distinct = min(len(rows[0]) - known, len(index))
        wanted = [array[index] for array in expected]
        return Answers.of(join(outputs), wanted, distinct, self.stack.ragged)

    def _orders(self, known: int, rows: int, batch_size: int) -> Iterator[Any]:
        """Yield the rows of each batch: the unseen ones in a random order, then any until the last batch is full."""
        new = known + self.random.permutation(rows - known)
        count = max(LEAST_BATCHES, -(-len(new) // batch_size)) * batch_size
        order = np.concatenate([new, self.random.integers(rows, size=count - len(new))])
        for start in range(0, count, batch_size):
            yield order[start : start + batch_size]


def _filled(buffer: Batch, rows: Sequence[Any], chosen: Any) -> Batch:
    for held, array in zip(buffer, rows):
        for place, row in enumerate(chosen):
            held[place] = array[row]
    return buffer


def _named(found: dict[str, Any], told: str) -> dict[str, Any]:
    return found if found["passed"] else {**found, "cause": f"{told}: {found['cause']}"}
