"""CUDA memory, streams and copies through NVIDIA's own bindings of the CUDA runtime (`cuda-bindings`)."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from inferometer.worker.failures import Unsupported

Array = Any


class Cuda:
    """The CUDA runtime on device 0 of this process; errors are exceptions that name the call.

    ``allocated_bytes`` and ``peak_bytes`` are those of `DeviceBuffer`s.
    """

    def __init__(self) -> None:
        self._runtime = _load()
        self.ask("cudaSetDevice", 0)
        self.stream: int = int(self.ask("cudaStreamCreate"))
        self.allocated_bytes = 0
        self.peak_bytes = 0

    def ask(self, call: str, *arguments: Any) -> Any:
        """Call the runtime and return what it answers beside the error; MemoryError, RuntimeError where it fails."""
        error, *values = getattr(self._runtime, call)(*arguments)
        if int(error):
            name = self._runtime.cudaGetErrorName(error)[1].decode()
            kind = MemoryError if name == "cudaErrorMemoryAllocation" else RuntimeError
            raise kind(f"{call}: {name}{self._free() if kind is MemoryError else ''}")
        return values[0] if len(values) == 1 else values

    def _free(self) -> str:
        error, free, total = self._runtime.cudaMemGetInfo()
        return "" if int(error) else f", {free} of {total} bytes free"

    def device_name(self) -> str:
        """Return name and compute capability, as in "NVIDIA A2 (8.6)"."""
        properties = self.ask("cudaGetDeviceProperties", 0)
        name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
        return f"{name.rstrip(chr(0))} ({properties.major}.{properties.minor})"

    def capability(self) -> str:
        """Return the compute capability, as in "8.6"."""
        properties = self.ask("cudaGetDeviceProperties", 0)
        return f"{properties.major}.{properties.minor}"

    def copy_in(self, device: int, host: Array) -> None:
        """Start copying a host array to the device, in the stream's order."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self.ask("cudaMemcpyAsync", device, host.ctypes.data, host.nbytes, kind, self.stream)

    def copy_out(self, host: Array, device: int) -> None:
        """Start copying device memory to a host array, in the stream's order."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.ask("cudaMemcpyAsync", host.ctypes.data, device, host.nbytes, kind, self.stream)

    def synchronise(self) -> None:
        """Wait for everything started in the stream."""
        self.ask("cudaStreamSynchronize", self.stream)


class DeviceBuffer:
    """Device memory that is freed with its last reference."""

    def __init__(self, cuda: Cuda, size_bytes: int) -> None:
        self._cuda = cuda
        self.address: int = 0
        self.address = int(cuda.ask("cudaMalloc", max(1, size_bytes)))
        self._size_bytes = size_bytes
        cuda.allocated_bytes += size_bytes
        cuda.peak_bytes = max(cuda.peak_bytes, cuda.allocated_bytes)

    def __del__(self) -> None:
        if self.address:
            self._cuda.ask("cudaFree", self.address)
            self._cuda.allocated_bytes -= self._size_bytes


class PinnedArray:
    """A numpy array in page-locked memory, which alone copies at the bus' full speed and asynchronously."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: Any) -> None:
        self._cuda = cuda
        self._address = 0
        size_bytes = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        self._address = int(cuda.ask("cudaHostAlloc", size_bytes, 0))
        memory = (ctypes.c_byte * size_bytes).from_address(self._address)
        self.array = np.frombuffer(memory, dtype, int(np.prod(shape))).reshape(shape)

    def __del__(self) -> None:
        if self._address:
            self._cuda.ask("cudaFreeHost", self._address)


def _load() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError:
        try:
            from cuda import cudart as runtime  # cuda-python before 12.6
        except ImportError as error:
            raise Unsupported("CUDA's Python bindings are missing (pip install cuda-bindings)") from error
    return runtime
