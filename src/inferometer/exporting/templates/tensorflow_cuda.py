"""Threads and memory, and how batches get to TensorFlow on an NVIDIA GPU: a part of its templates."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.shared import THREADS
from inferometer.exporting.templates.staged import Staged, load_libraries

SHARED = True  # through page-locked memory, else a new tensor of every batch
TF32 = False


class Host:
    """The device that everything is on, and tensors for it."""

    PLACE = "/GPU:0"

    def __init__(self, tf: Any) -> None:
        load_libraries()
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_tensor_float_32_execution(TF32)
        tf.config.set_soft_device_placement(True)  # string and shape operations have no GPU kernel
        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            raise RuntimeError(f"tensorflow {tf.__version__} sees no GPU: its CUDA libraries did not load")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        self._tf, self._staged = tf, Staged()

    def send(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return tensors on the GPU; int32, which TensorFlow keeps on the host, in memory of their own."""
        small = [not SHARED or array.dtype == "int32" for array in batch]
        staged = iter(self._staged.fill([array for array, own in zip(batch, small) if not own]))
        dlpack, copy = self._tf.experimental.dlpack.from_dlpack, self._tf.identity
        return [
            self._tf.convert_to_tensor(array) if own else copy(dlpack(next(staged).__dlpack__()))
            for array, own in zip(batch, small)
        ]
