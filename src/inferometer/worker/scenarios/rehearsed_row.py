"""A row that was rehearsed, as tests under load ask it: batches of samples by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inferometer.worker.backend import Outputs
from inferometer.worker.checks import Judge
from inferometer.worker.data import ImageStack
from inferometer.worker.modes import Mode
from inferometer.worker.protocol import AnswerBatch, Answered
from inferometer.worker.scenarios.responses import bytes_of, compare_responses
from inferometer.worker.scenarios.samples import Samples


class RehearsedRow:
    """Answers batches of the sizes that were prepared."""

    def __init__(self, mode: Mode, samples: Samples, sizes: Sequence[int]) -> None:
        self._mode, self._samples, self._largest = mode, samples, max(sizes)

    @property
    def samples(self) -> int:
        """Return how many may be asked for."""
        return len(self._samples)

    def infer(self, numbers: list[int], size: int) -> Outputs:
        """Answer samples as one batch, filled up to ``size``."""
        return self._mode.outputs(self._samples.batch(numbers, size))

    def answer(self, request: AnswerBatch) -> Answered:
        """Answer one batch of another worker's test."""
        outputs = self.infer(request.numbers, request.size)
        kept = range(len(request.numbers)) if request.keeps else ()
        return Answered([bytes_of(outputs, place).tobytes().hex() for place in kept])

    def compare(self, folder: Path, stack: ImageStack, judge: Judge) -> dict[str, Any]:
        """Return the fields of `records.Parity` of the responses that LoadGen logged."""
        return compare_responses(folder, stack, judge, self.infer([0], self._largest))
