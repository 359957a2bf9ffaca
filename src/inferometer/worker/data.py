"""The image stack every framework gets, and the reference its outputs are held against."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.worker.aligned import aligned_like
from inferometer.worker.answers import Answers, join
from inferometer.worker.backend import Batch, Outputs
from inferometer.worker.failures import Unsupported
from inferometer.worker.system import memory

if TYPE_CHECKING:
    from inferometer.worker.modes import Mode

Array = Any


@dataclass(frozen=True)
class ImageStack:
    """``images`` rows of every input, cycled from N distinct ones, in the artifact's layout.

    Held whole where that takes at most a quarter of the free memory. A larger stack is held as no more rows than one
    batch needs, of which batches are overlapping views: every batch still has the rows it would have had.
    """

    rows: tuple[Array, ...]  # N distinct rows of every input
    reference: tuple[Array, ...]  # N rows of every output
    images: int
    free_bytes: Callable[[], int] = memory.free_bytes
    ragged: Collection[int] = ()  # outputs whose size is each row's own
    _held: list[tuple[Array, ...]] = field(default_factory=list)  # at most one: the rows held now

    @classmethod
    def load(
        cls,
        inputs: Path,
        reference: Path,
        source_layout: str,
        layout: str,
        *,
        images: int,
        memory_layout: str = "",
        ragged: Collection[int] = (),
    ) -> ImageStack:
        """Read the distinct rows and turn 4-D inputs to ``layout``, in the order of ``memory_layout`` if given."""
        rows = tuple(
            to_layout(array, source_layout, layout, memory_layout or layout) for array in _arrays(inputs)
        )
        return cls(rows, tuple(_arrays(reference)), images, ragged=ragged)

    def hold(self) -> ImageStack:
        """Make the whole stack now, if it will be held whole; return self."""
        if self._fits():
            self._hold(self.images)
        return self

    def _fits(self) -> bool:
        return self._held_rows() >= self.images or self._bytes(self.images) <= self.free_bytes() // 4

    def batches(self, batch_size: int) -> list[Batch]:
        """Return the stack cut into batches; the last one is smaller where ``images`` is no multiple.

        MemoryError (with the bytes wanted and free) if not even one batch can be held.
        """
        distinct = len(self.rows[0])
        whole = self._fits()
        arrays = self._hold(self.images if whole else min(self.images, batch_size + distinct - 1))
        cut: dict[tuple[int, int], Batch] = {}
        batches = []
        for start in range(0, self.images, batch_size):
            size = min(batch_size, self.images - start)
            place = start if whole else start % distinct
            if (place, size) not in cut:
                cut[place, size] = tuple(array[place : place + size] for array in arrays)
            batches.append(cut[place, size])
        return batches

    def as_pixels(self) -> ImageStack:
        """Return the same rows as uint8; Unsupported unless every value is a whole number from 0 to 255."""
        if not all(_is_pixels(array) for array in self.rows):
            raise Unsupported(
                "the inputs are no whole numbers from 0 to 255, so they cannot travel as uint8: this model wants its "
                "preprocessing done before"
            )
        rows = tuple(array.astype(np.uint8) for array in self.rows)  # astype keeps the order in memory
        return ImageStack(rows, self.reference, self.images, self.free_bytes, self.ragged)

    def _hold(self, count: int) -> tuple[Array, ...]:
        """Return ``count`` rows cycled from the distinct ones, kept for the next batch size; grows only."""
        if self._held_rows() < count:
            self._held.clear()
            wanted, free = self._bytes(count), self.free_bytes()
            if wanted > free:
                raise MemoryError(
                    f"unable to allocate {wanted} bytes of host memory for the images: {free} bytes are free"
                )
            self._held.append(tuple(_cycled(array, count) for array in self.rows))
        return self._held[0]

    def _held_rows(self) -> int:
        return len(self._held[0][0]) if self._held else 0

    def _bytes(self, count: int) -> int:
        return count * int(sum(array[:1].nbytes for array in self.rows))

    def expected(self, places: Any) -> list[Array]:
        """Return the reference's outputs for rows at these places of the stack."""
        index = np.asarray(places) % len(self.reference[0])
        return [array[index] for array in self.reference]

    def answers(self, mode: Mode, batches: list[Batch], first: Outputs) -> Answers:
        """Return real outputs beside the reference: as many batches as show every distinct row, and a partial last one."""
        distinct = len(self.reference[0])
        outputs = [first]
        rows = len(batches[0][0])
        while rows < min(distinct, self.images):
            batch = batches[len(outputs)]
            outputs.append(mode.outputs(batch))
            rows += len(batch[0])
        numbers = list(range(rows))
        if len(batches[-1][0]) != len(batches[0][0]) and rows < self.images:
            outputs.append(mode.outputs(batches[-1]))
            numbers += range(self.images - len(batches[-1][0]), self.images)
        return Answers.of(join(outputs), self.expected(numbers), min(distinct, rows), self.ragged)


def _arrays(path: Path) -> list[Array]:
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


def to_layout(array: Array, source: str, layout: str, memory_layout: str) -> Array:
    """Return a 4-D array with its axes as ``layout`` says, whose bytes lie as ``memory_layout`` says."""
    if array.ndim != 4 or not source or not layout:
        return np.ascontiguousarray(array)
    stored = np.ascontiguousarray(_turned(array, source, memory_layout))
    return _turned(stored, memory_layout, layout)


def _turned(array: Array, source: str, target: str) -> Array:
    if source == target:
        return array
    return array.transpose((0, 3, 1, 2) if target == "NCHW" else (0, 2, 3, 1))


def _cycled(rows: Array, count: int) -> Array:
    """Return ``count`` rows, the given ones in turn, in the same order in memory, without an array in between."""
    held = aligned_like(rows, count)
    for start in range(0, count, len(rows)):
        part = held[start : start + len(rows)]
        part[...] = rows[: len(part)]
    return held


def _is_pixels(array: Array) -> bool:
    if array.dtype == np.uint8:
        return True
    return bool(
        array.dtype.kind == "f"
        and array.min() >= 0
        and array.max() <= 255
        and np.all(array == np.rint(array))
    )
