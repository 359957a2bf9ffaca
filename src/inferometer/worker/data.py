"""The image stack every framework gets, and the reference its outputs are held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.worker.backend import Batch, Outputs
from inferometer.worker.parity import compare

if TYPE_CHECKING:
    from inferometer.worker.loop import Execution

Array = Any


@dataclass(frozen=True)
class ImageStack:
    """``images`` rows of every input, cycled from N distinct ones, in the artifact's layout, contiguous."""

    inputs: tuple[Array, ...]
    reference: tuple[Array, ...]  # N rows of every output
    images: int

    @classmethod
    def load(cls, inputs: Path, reference: Path, source_layout: str, layout: str, images: int) -> ImageStack:
        """Read the distinct rows, turn 4-D inputs to ``layout``, and stack them to ``images`` rows."""
        rows = [_to_layout(array, source_layout, layout) for array in _arrays(inputs)]
        stacked = tuple(np.ascontiguousarray(array[np.arange(images) % len(array)]) for array in rows)
        return cls(stacked, tuple(_arrays(reference)), images)

    def batches(self, batch_size: int) -> list[Batch]:
        """Return the stack cut into batches; the last one is smaller where ``images`` is no multiple."""
        starts = range(0, self.images, batch_size)
        return [tuple(array[start : start + batch_size] for array in self.inputs) for start in starts]

    def compare(
        self, execution: Execution, batches: list[Batch], first: Outputs, precision: str
    ) -> dict[str, Any]:
        """Compare real outputs with the reference: as many batches as show every distinct row, and a partial last one."""
        distinct = len(self.reference[0])
        outputs = [first]
        rows = len(batches[0][0])
        while rows < min(distinct, self.images):
            batch = batches[len(outputs)]
            outputs.append(execution.outputs(batch))
            rows += len(batch[0])
        numbers = list(range(rows))
        if len(batches[-1][0]) != len(batches[0][0]) and rows < self.images:
            outputs.append(execution.outputs(batches[-1]))
            numbers += range(self.images - len(batches[-1][0]), self.images)
        index = np.array(numbers) % distinct
        expected = [array[index] for array in self.reference]
        return compare(_join(outputs), expected, precision, distinct=min(distinct, rows))


def _join(outputs: list[Outputs]) -> Outputs:
    return [np.concatenate(parts) if np.ndim(parts[0]) else np.asarray(parts) for parts in zip(*outputs)]


def _arrays(path: Path) -> list[Array]:
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


def _to_layout(array: Array, source: str, target: str) -> Array:
    if array.ndim != 4 or not source or not target or source == target:
        return array
    return array.transpose((0, 3, 1, 2) if target == "NCHW" else (0, 2, 3, 1))
