"""Threads, and how batches get to TensorFlow on the CPU: a part of its templates."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.shared import THREADS

SHARED = True  # tensors over numpy's own memory, by DLPack


class Host:
    """The device that everything is on, and tensors for it."""

    PLACE = "/CPU:0"

    def __init__(self, tf: Any) -> None:
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._tf = tf

    def send(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return tensors."""
        return [self._tensor(array) for array in batch]

    def _tensor(self, array: Any) -> Any:
        aligned = array.ctypes.data % 64 == 0 and array.flags.c_contiguous and array.flags.writeable
        if SHARED and aligned and array.dtype.kind in "fiu":
            return self._tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return self._tf.convert_to_tensor(array)
