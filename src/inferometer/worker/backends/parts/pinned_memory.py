"""Page-locked buffers filled by several threads, from which a GPU copies by itself at the bus' speed."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inferometer.worker.backend import Batch
from inferometer.worker.backends.parts.copier import Copier
from inferometer.worker.flags import Flag, flag

Array = np.ndarray[Any, Any]

_RUNTIMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
_NUMBERS = "fiu"  # numpy's kinds of types whose values lie in the array itself, as the device wants them
_STUCK: list[
    Array
] = []  # may still be page-locked: freed, their addresses would be locked under whoever gets them next


class PageLock:
    """Locks arrays in memory by the CUDA runtime that the framework has loaded, so that the GPU reads them itself.

    ``cuda_version`` is the framework's own, if it tells; ``load`` opens a library by name, as `ctypes.CDLL` does.
    """

    def __init__(self, cuda_version: str = "", load: Callable[..., Any] = ctypes.CDLL) -> None:
        own = f"libcudart.so.{cuda_version.partition('.')[0]}"
        self._names = sorted(_RUNTIMES, key=lambda name: not name.startswith(own))
        self._load = load
        self._runtime: Any = None

    def lock(self, array: Array) -> None:
        """Lock an array's pages; OSError without the library, or with CUDA's error number."""
        self._runtime = self._runtime or self._find()
        size = ctypes.c_size_t(array.nbytes)
        code = self._runtime.cudaHostRegister(ctypes.c_void_p(array.ctypes.data), size, ctypes.c_uint(0))
        if code:
            self._runtime.cudaGetLastError()  # else the framework takes it for an error of its next kernel
            raise OSError(f"cudaHostRegister of {array.nbytes} bytes: CUDA error {code}")

    def unlock(self, array: Array) -> None:
        """Undo `lock`, which must be done before the memory is given back; where CUDA refuses, it never is."""
        if self._runtime.cudaHostUnregister(ctypes.c_void_p(array.ctypes.data)):
            self._runtime.cudaGetLastError()
            _STUCK.append(array)

    def _find(self) -> Any:
        """Return the library that is loaded already, else the first that can be."""
        for mode in (os.RTLD_NOLOAD | os.RTLD_LAZY, os.RTLD_LAZY):
            for name in self._names:
                with contextlib.suppress(OSError):
                    return self._load(name, mode=mode)
        raise OSError(f"no CUDA runtime library found ({', '.join(self._names)})")


class PinnedBuffers:
    """A page-locked buffer for each input, shape and type.

    Frameworks copy pageable memory on one thread, through a small page-locked buffer of the driver's. A buffer is filled
    again by the next batch of its shape: what is copied from it must have arrived by then. Where nothing can be locked,
    ``trouble`` says why, and arrays are left where they lie.
    """

    def __init__(self, threads: int, pages: PageLock) -> None:
        self._copier = Copier(threads)
        self._pages = pages
        self._buffers: dict[tuple[int, tuple[int, ...], str], Array] = {}
        self.trouble = ""

    def fill(self, batch: Batch, kinds: Sequence[Any] = ()) -> list[Array]:
        """Return the batch in buffers, its arrays cast to ``kinds``, if given, while they are copied."""
        wanted = kinds or [array.dtype for array in batch]
        return [self._stage(place, *pair) for place, pair in enumerate(zip(batch, wanted))]

    def _stage(self, place: int, array: Array, kind: Any) -> Array:
        buffer = self._buffer(place, array, np.dtype(kind))
        if buffer is None:
            return array.astype(kind, copy=False)
        self._copier.copy(buffer, array)
        return buffer

    def _buffer(self, place: int, array: Array, kind: np.dtype[Any]) -> Array | None:
        if self.trouble or kind.kind not in _NUMBERS:
            return None
        key = place, array.shape, kind.str
        if key not in self._buffers:
            try:
                buffer = _on_pages_of_its_own(array.shape, kind)
                self._pages.lock(buffer)
            except OSError as error:
                self.trouble = str(error)
                return None
            self._buffers[key] = buffer
        return self._buffers[key]

    def flags(self) -> list[Flag]:
        """Say why batches were not staged, if they were not."""
        return [flag("not-page-locked", error=self.trouble)] if self.trouble else []

    def release(self) -> None:
        """Unlock and drop the buffers, and forget the trouble: other shapes may have none."""
        for buffer in self._buffers.values():
            self._pages.unlock(buffer)
        self._buffers.clear()
        self.trouble = ""


def _on_pages_of_its_own(shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    """Return an array that shares no page with other memory: CUDA may refuse to lock a page twice."""
    count = int(np.prod(shape))
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, max(1, count * kind.itemsize), flags=private)
    array: Array = np.frombuffer(memory, kind, count).reshape(shape)
    return array
