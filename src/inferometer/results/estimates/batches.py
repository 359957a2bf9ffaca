"""Latencies of full batches, by round and of all rounds together (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from inferometer.records import Record
from inferometer.results import samples
from inferometer.results.stats import Floats

LEVELS = (50, 90, 99)


class Batches:
    """The latencies (s) of a round's full batches, and what `compute` finds of them."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds = seconds
        self.measures: list[float] = []  # their mean and the percentiles at `LEVELS`
        self.worth = 0.0  # how many independent ones they tell as much as

    @classmethod
    def compute(cls, several: Sequence[Batches]) -> None:
        """Compute the measures, those of rounds with as many batches at once."""
        for count, same, block in _alike(several):
            means, levels = np.add.reduce(block, axis=1) / count, samples.percentiles(block, LEVELS)
            measures: list[list[float]] = np.column_stack((means, *levels)).tolist()
            worths = samples.effective_counts(block)
            for batches, found, worth in zip(same, measures, worths, strict=True):
                batches.measures, batches.worth = found, worth


class Pooled:
    """The latencies (s) of all full batches of a cell, and what `compute` finds of them."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds = seconds
        self.ordered: Floats = np.empty(0)
        self.quantiles: list[float] = []  # at `samples.QUANTILES`

    @classmethod
    def compute(cls, several: Sequence[Pooled]) -> None:
        """Compute order and quantiles, those of cells with as many batches at once."""
        for _, same, block in _alike(several):
            block.sort(axis=1)
            quantiles = np.column_stack(samples.percentiles_of_ordered(block, samples.QUANTILES)).tolist()
            for pooled, ordered, found in zip(same, block, quantiles, strict=True):
                pooled.ordered, pooled.quantiles = ordered, found


T = TypeVar("T", Batches, Pooled)


def _alike(several: Sequence[T]) -> Iterator[tuple[int, list[T], Floats]]:
    """Yield those with as many batches: how many, which, and a row each."""
    alike: dict[int, list[T]] = {}
    for one in several:
        alike.setdefault(len(one.seconds), []).append(one)
    for count, same in alike.items():
        yield count, same, np.array([one.seconds for one in same], dtype=np.float64)


def full_batches(record: Record) -> Floats:
    """Return the latencies (s) of the record's full batches; a last partial batch of a loop is left out."""
    return np.array(seconds_of_full_batches(record), dtype=np.float64)


def seconds_of_full_batches(record: Record) -> list[float]:
    """Return `full_batches` as plain numbers."""
    size = record.cell.batch_size
    found: list[float] = []
    for loop in record.loops:
        partial = (loop.images or record.images) % size != 0 and len(loop.batch_s) > 1
        found += loop.batch_s[:-1] if partial else loop.batch_s
    return found
