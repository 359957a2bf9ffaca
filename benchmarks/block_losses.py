"""Losses of throughput in blocks of stretches with and without something, and their middle with its interval. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

Span = tuple[int, int, int, int]  # a loop: start and end (ns), images, processor time (ns)
Block = list[tuple[bool, int, int]]  # stretches: sampler on or off, start and end (ns)


class Rates:
    """How fast one process of the load was, by the clock and by its own processor time."""

    def __init__(self, spans: Sequence[Span]) -> None:
        starts, ends, images, used = (np.array(column) for column in zip(*spans, strict=True))
        self.edges = np.append(starts[0], ends)
        self.images, self.used = np.append(0, np.cumsum(images)), np.append(0, np.cumsum(used))

    def of(self, start_ns: int, end_ns: int) -> tuple[float, float]:
        """Return images a second of clock and of processor within a stretch; of a loop at its edge the part that lies within."""
        images = np.diff(np.interp((start_ns, end_ns), self.edges, self.images))[0] * 1e9
        used_ns = np.diff(np.interp((start_ns, end_ns), self.edges, self.used))[0]
        return images / (end_ns - start_ns), images / max(used_ns, 1)


def losses(load: Sequence[Rates], blocks: Sequence[Block]) -> tuple[list[float], list[float]]:
    """Return each block's loss of throughput, by the clock and by processor time; of blocks during which all of the load ran."""
    found: tuple[list[float], list[float]] = ([], [])
    for block in blocks:
        if any(block[0][1] < one.edges[0] or block[-1][2] > one.edges[-1] for one in load):
            continue
        rates = [(on, [one.of(start_ns, end_ns) for one in load]) for on, start_ns, end_ns in block]
        for way in (0, 1):
            with_it, without = (
                sum(rate[way] for on, of_all in rates if on is wanted for rate in of_all)
                for wanted in (True, False)
            )
            found[way].append(1 - with_it / without)
    return found


def by_signed_ranks(values: Sequence[float]) -> tuple[float, float, float]:
    """Return Hodges and Lehmann's estimate of the middle, and its 95 % interval by Wilcoxon's signed ranks (normal)."""
    n = len(values)
    a = np.asarray(values)
    means = np.sort(((a[:, None] + a[None, :]) / 2)[np.triu_indices(n)])
    spread = 1.96 * (n * (n + 1) * (2 * n + 1) / 24) ** 0.5
    place = max(int(n * (n + 1) / 4 - spread), 0)
    return float(np.median(means)), float(means[place]), float(means[-1 - place])


def by_mean(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean, and its 95 % interval by Student's t."""
    from inferometer.quantiles import CONFIDENCE, t_quantile

    mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
    half = t_quantile(CONFIDENCE, len(values) - 1) * error
    return mean, mean - half, mean + half
