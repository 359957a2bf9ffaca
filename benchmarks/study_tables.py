"""The study's published tables as its claims ask for them, and what a verdict is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from inferometer.results.cells import Results
from inferometer.results.metrics import METRICS

A2, V100, TITAN = "NVIDIA A2", "Tesla V100", "TITAN X (Pascal)"
GPUS = (A2, V100, TITAN)
SIZES = (8, 16, 32, 64, 128, 256, 512)
TENSORRT = ("tftrt fp16", "tftrt fp32")
# from the study's description of its machines
CORES = {A2: 1280, V100: 5120, TITAN: 3580}
CLOCK_MHZ = {A2: 1440, V100: 1230, TITAN: 1417}
CAPABILITY = {A2: 8.6, V100: 7.0, TITAN: 6.1}
BANDWIDTH = {A2: 200.1, V100: 897.0, TITAN: 480.4}


class Data:
    """The published tables by machine, row and batch size."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.cells = {(s.machine, s.row, s.cell.batch_size): s for s in results.summaries}
        self.rows = results.rows

    def value(self, metric: str, gpu: str, row: str, size: int) -> float | None:
        summary = self.cells.get((gpu, row, size))
        estimate = METRICS[metric].of(summary) if summary else None
        return estimate.value if estimate else None

    def ranking(self, metric: str, gpu: str, size: int) -> list[tuple[str, float]]:
        """Return (row, value), best first."""
        found = [(row, v) for row in self.rows if (v := self.value(metric, gpu, row, size)) is not None]
        return sorted(found, key=lambda pair: pair[1], reverse=METRICS[metric].higher_is_better)

    def best(self, metric: str, gpu: str, size: int) -> str:
        return self.ranking(metric, gpu, size)[0][0]

    def common(self, *gpus: str) -> list[tuple[str, int]]:
        return [
            (row, size)
            for row in self.rows
            for size in SIZES
            if all((gpu, row, size) in self.cells for gpu in gpus)
        ]

    def mean(self, metric: str, gpu: str) -> float:
        """Return the geometric mean over all cells."""
        values = [v for row, size in self.common(*GPUS) if (v := self.value(metric, gpu, row, size))]
        return math.exp(sum(map(math.log, values)) / len(values))


@dataclass(frozen=True)
class Verdict:
    word: str
    evidence: str


def judged(shares: Iterable[bool], evidence: str) -> Verdict:
    """Return holds, holds in part or does not hold by how many of the claim's parts are true."""
    parts = list(shares)
    word = "holds" if all(parts) else "holds in part" if any(parts) else "does not hold"
    return Verdict(word, evidence)


def listed(words: Iterable[object]) -> str:
    return ", ".join(str(word) for word in words) or "none"


def lead(data: Data, gpu: str, size: int, metric: str = "throughput") -> str:
    """Return the two best of a batch size: "32: tfxla 1535 over tftrt fp16 1489 (+3.1 %)"."""
    (first, a), (second, b) = data.ranking(metric, gpu, size)[:2]
    return f"{size}: {first} {a:.4g} over {second} {b:.4g} (+{100 * (max(a, b) / min(a, b) - 1):.1f} %)"
