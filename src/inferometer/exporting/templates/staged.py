"""Page-locked memory that batches are copied into on their way to a GPU: a part of the templates for one."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import THREADS

PART_BYTES = 2097152  # at least, for one of the threads that copy


def load_libraries() -> None:
    """Load the CUDA libraries that lie in packages beside this Python's, which frameworks may not find by themselves."""
    left = sorted(path for folder in sys.path for path in Path(folder).glob("nvidia/*/lib/lib*.so*"))
    while left:
        failed = []
        for path in left:
            try:
                ctypes.CDLL(str(path), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
            except OSError:  # it needs another of them first
                failed.append(path)
        left = failed if len(failed) < len(left) else []


def loaded_runtime() -> Any:
    """Return the CUDA runtime that the framework has loaded, else any; None without one."""
    for mode in (os.RTLD_NOLOAD | os.RTLD_LAZY, os.RTLD_LAZY):
        for name in ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"):
            with contextlib.suppress(OSError):
                return ctypes.CDLL(name, mode=mode)
    return None


class Staged:
    """A page-locked buffer for each input and shape, from which the GPU copies at the bus' speed."""

    def __init__(self) -> None:
        self._cuda, self._buffers = loaded_runtime(), dict[Any, Any]()
        self._pool, self._threads = ThreadPoolExecutor(min(8, THREADS)), min(8, THREADS)

    def fill(self, batch: Any) -> list[Any]:
        """Return the batch in buffers, which are filled again by the next one of its shape."""
        return [self._filled(place, array) for place, array in enumerate(batch)]

    def _filled(self, place: int, array: Any) -> Any:
        key = place, array.shape, array.dtype.str
        if key not in self._buffers:
            self._buffers[key] = self._locked(array)
        parts = max(1, min(self._threads, len(array), array.nbytes // PART_BYTES))
        pieces = (np.array_split(each, parts) for each in (self._buffers[key], array))
        list(self._pool.map(np.copyto, *pieces)) if parts > 1 else np.copyto(self._buffers[key], array)
        return self._buffers[key]

    def _locked(self, array: Any) -> Any:
        """Return a buffer like an array, on pages of its own, locked where CUDA can."""
        memory = mmap.mmap(-1, max(1, array.nbytes), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        buffer = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
        where, size = ctypes.c_void_p(buffer.ctypes.data), ctypes.c_size_t(max(1, array.nbytes))
        if self._cuda is None or self._cuda.cudaHostRegister(where, size, ctypes.c_uint(0)):
            print(
                "note: memory cannot be page-locked here, so that copies to the GPU are slower",
                file=sys.stderr,
            )
            _ = self._cuda and self._cuda.cudaGetLastError()  # else it is taken for a later kernel's error
        return buffer
