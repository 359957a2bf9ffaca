"""How batches get to TensorFlow: sharing numpy's memory, through page-locked buffers, or the naive way."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from inferometer.worker.aligned import aligned_empty, is_aligned
from inferometer.worker.backend import Batch
from inferometer.worker.backends.rows import copying_threads, cut

Array = np.ndarray[Any, Any]

SHAREABLE = "fiu"  # numpy's kinds of types that DLPack and TensorFlow have in common


class Naive:
    """A new tensor of every batch: what `tf.constant` and `model(batch)` do."""

    trouble = ""  # why the fast way could not be gone

    def __init__(self, tf: Any) -> None:
        self._tf = tf

    def send(self, batch: Batch) -> list[Any]:
        """Return tensors on the device of the current scope."""
        return [self._tf.convert_to_tensor(array) for array in batch]

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


class PageLock:
    """Locks arrays in memory by the CUDA runtime that TensorFlow has loaded, so that the GPU reads them itself."""

    def __init__(self, cuda_version: str) -> None:
        self._name = f"libcudart.so.{cuda_version.partition('.')[0]}"
        self._runtime: Any = None

    def lock(self, array: Array) -> None:
        """Lock an array's pages; OSError without the library, or with CUDA's error number."""
        self._runtime = self._runtime or ctypes.CDLL(self._name)
        size = ctypes.c_size_t(array.nbytes)
        code = self._runtime.cudaHostRegister(ctypes.c_void_p(array.ctypes.data), size, ctypes.c_uint(0))
        if code:
            raise OSError(f"cudaHostRegister of {array.nbytes} bytes: CUDA error {code}")

    def unlock(self, array: Array) -> None:
        """Undo `lock`, which must be done before the memory is given back."""
        self._runtime.cudaHostUnregister(ctypes.c_void_p(array.ctypes.data))


class Pinned(Shared):
    """Page-locked buffers of each shape, filled by several threads, then copied to the device of the current scope.

    TensorFlow itself copies on one thread into a tensor, and from there through the driver's own small page-locked buffer.
    A buffer may be filled again once the outputs of the batch before are there. Where nothing can be locked, ``trouble``
    says why, and batches are copied from where they lie.
    """

    def __init__(self, tf: Any, threads: int, pages: PageLock) -> None:
        super().__init__(tf)
        self._threads = copying_threads(threads)
        self._pool = ThreadPoolExecutor(self._threads)
        self._pages = pages
        self._buffers: dict[tuple[tuple[int, ...], str], Array] = {}

    def send(self, batch: Batch) -> list[Any]:
        """Fill the buffers, and copy them."""
        return [self._tf.identity(self.wrap(self._staged(array))) for array in batch]

    def _staged(self, array: Array) -> Array:
        if self.trouble or array.dtype.kind not in SHAREABLE:
            return array
        key = array.shape, array.dtype.str
        if key not in self._buffers:
            buffer = aligned_empty(array.shape, array.dtype)
            try:
                self._pages.lock(buffer)
            except OSError as error:
                self.trouble = str(error)
                return array
            self._buffers[key] = buffer
        buffer = self._buffers[key]
        pairs = zip(cut(buffer, self._threads), cut(array, self._threads))
        list(self._pool.map(lambda pair: np.copyto(*pair), pairs))
        return buffer

    def release(self) -> None:
        """Unlock and drop the buffers."""
        for buffer in self._buffers.values():
            self._pages.unlock(buffer)
        self._buffers.clear()
