"""How batches get to TensorFlow: sharing numpy's memory, through page-locked buffers, or the naive way."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.aligned import is_aligned
from inferometer.worker.backend import Batch, Opening
from inferometer.worker.backends.parts.pinned_memory import PageLock, PinnedBuffers
from inferometer.worker.flags import Flag

Array = np.ndarray[Any, Any]

SHAREABLE = "fiu"  # numpy's kinds of types that DLPack and TensorFlow have in common


class Naive:
    """A new tensor of every batch: what `tf.constant` and `model(batch)` do."""

    def __init__(self, tf: Any) -> None:
        self._tf = tf

    def send(self, batch: Batch) -> list[Any]:
        """Return tensors on the device of the current scope."""
        return [self._tf.convert_to_tensor(array) for array in batch]

    def flags(self) -> list[Flag]:
        """Return what a reader of the cell must know."""
        return []

    def release(self) -> None:
        """Drop buffers."""


class Shared(Naive):
    """Tensors of the CPU over numpy's own memory, by DLPack; only what cannot be shared is copied."""

    def send(self, batch: Batch) -> list[Any]:
        """Wrap the arrays."""
        return [self.wrap(array) for array in batch]

    def wrap(self, array: Array) -> Any:
        """Return a tensor of the CPU."""
        shareable = array.dtype.kind in SHAREABLE and array.flags.c_contiguous and array.flags.writeable
        if shareable and is_aligned(array):
            return self._tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        with self._tf.device("/CPU:0"):
            return self._tf.convert_to_tensor(array)


class Pinned(Shared):
    """Through page-locked buffers to the device of the current scope; a tensor is complete once `send` has returned."""

    def __init__(self, tf: Any, pinned: PinnedBuffers) -> None:
        super().__init__(tf)
        self._pinned = pinned

    def send(self, batch: Batch) -> list[Any]:
        """Fill the buffers, and copy them.

        Not so int32: TensorFlow keeps it in host memory, where Identity copies nothing, so that a tensor would be the
        buffer itself, overwritten by the next batch.
        """
        staged = iter(self._pinned.fill(tuple(array for array in batch if array.dtype != np.int32)))
        return [
            self._tf.convert_to_tensor(array)
            if array.dtype == np.int32
            else self._tf.identity(self.wrap(next(staged)))
            for array in batch
        ]

    def flags(self) -> list[Flag]:
        """Say what kept batches out of page-locked memory."""
        return self._pinned.flags()

    def release(self) -> None:
        """Drop the buffers."""
        self._pinned.release()


def host_path(tf: Any, opening: Opening) -> Naive:
    """Return how numpy's batches get to the device; page-locked memory is for host mode alone."""
    if opening.device == "cpu" and not opening.options.get("naive"):
        return Shared(tf)
    if opening.options.get("naive") or opening.mode != "host":
        return Naive(tf)
    cuda_version = str(tf.sysconfig.get_build_info().get("cuda_version", ""))
    return Pinned(tf, PinnedBuffers(opening.threads, PageLock(cuda_version)))
