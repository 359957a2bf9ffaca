"""How batches get to torch's device and outputs back: without copies, pinned, or the naive way; and CUDA graphs."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from inferometer.worker.backend import Batch, Outputs

Tensors = list[Any]


def to_numpy(tensors: Any) -> Outputs:
    """Return tensors of any device as numpy arrays; half precisions become float32 where they lie."""
    return [(t.float() if t.is_floating_point() else t).cpu().numpy() for t in tensors]


class HostPath(abc.ABC):
    """numpy to tensors on a device, in the model's floating type, and back."""

    def __init__(self, torch: Any, device: Any, dtype: Any) -> None:
        self._torch, self._device, self._dtype = torch, device, dtype

    @abc.abstractmethod
    def send(self, batch: Batch) -> Tensors:
        """Return the batch on the device."""

    def receive(self, tensors: Any) -> Outputs:
        """Return outputs as numpy."""
        return to_numpy(tensors)

    def place(self, array: np.ndarray[Any, Any]) -> Any:
        """Return an array as a tensor of its own on the device."""
        tensor = self._torch.from_numpy(array)
        return tensor.to(self._device, self._type(tensor))

    def empty(self, array: np.ndarray[Any, Any]) -> Any:
        """Return a tensor of zeros like what `send` gives, with the same order in memory."""
        like = self._torch.from_numpy(array[:1])
        strided = self._torch.zeros(array.shape, dtype=self._type(like), device=self._device)
        return strided if like.is_contiguous() else strided.to(memory_format=self._torch.channels_last)

    def _type(self, tensor: Any) -> Any:
        return self._dtype if tensor.is_floating_point() else tensor.dtype

    def release(self) -> None:  # noqa: B027
        """Drop buffers."""


class ZeroCopy(HostPath):
    """On the CPU a tensor shares numpy's memory; only another precision makes a copy."""

    def __init__(self, torch: Any, dtype: Any) -> None:
        super().__init__(torch, torch.device("cpu"), dtype)

    def send(self, batch: Batch) -> Tensors:
        """Wrap the arrays."""
        return [self.place(array) for array in batch]


class Naive(HostPath):
    """As the study did it: a new tensor of every batch, pageable copies both ways."""

    def send(self, batch: Batch) -> Tensors:
        """Copy to a tensor, then to the device, then to the type."""
        tensors = [self._torch.tensor(array).to(self._device) for array in batch]
        return [tensor.to(self._type(tensor)) for tensor in tensors]


class Pinned(HostPath):
    """Page-locked buffers of each shape, made at its first batch; asynchronous copies both ways, one synchronisation.

    Floats are cast while they are copied into the buffer, so that half precisions cross the bus at half the size.
    """

    def __init__(self, torch: Any, device: Any, dtype: Any) -> None:
        super().__init__(torch, device, dtype)
        self._inputs: dict[int, Tensors] = {}
        self._outputs: dict[int, Tensors] = {}

    def send(self, batch: Batch) -> Tensors:
        """Fill the pinned buffers and start the copies."""
        size = len(batch[0])
        sources = [self._torch.from_numpy(array) for array in batch]
        if size not in self._inputs:
            self._inputs[size] = [pinned_like(self._torch, source, self._type(source)) for source in sources]
        for buffer, source in zip(self._inputs[size], sources):
            buffer.copy_(source)
        return [buffer.to(self._device, non_blocking=True) for buffer in self._inputs[size]]

    def receive(self, tensors: Any) -> Outputs:
        """Copy into the pinned buffers, wait once, and hand out arrays that the next batch does not overwrite."""
        size = len(tensors[0])
        cast = [tensor.float() if tensor.is_floating_point() else tensor for tensor in tensors]
        if size not in self._outputs:
            self._outputs[size] = [pinned_like(self._torch, tensor, tensor.dtype) for tensor in cast]
        buffers = self._outputs[size]
        for buffer, tensor in zip(buffers, cast):
            buffer.copy_(tensor, non_blocking=True)
        self._torch.cuda.current_stream().synchronize()
        return [buffer.numpy().copy() for buffer in buffers]

    def release(self) -> None:
        """Drop the buffers; the allocator keeps their pages for the next shape."""
        self._inputs.clear()
        self._outputs.clear()


def pinned_like(torch: Any, tensor: Any, dtype: Any) -> Any:
    """Return a page-locked CPU tensor of a tensor's shape and order in memory."""
    layout = torch.contiguous_format if tensor.is_contiguous() else torch.channels_last
    return torch.empty(tensor.shape, dtype=dtype, device="cpu", pin_memory=True, memory_format=layout)


class Graph:
    """Calls of one shape captured as a CUDA graph: inputs are copied into its own, outputs are always the same tensors."""

    def __init__(self, torch: Any, infer: Callable[[Tensors], Any], inputs: Tensors) -> None:
        self._inputs = inputs
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # lazy initialisation and the choice of kernels must not be captured
                infer(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = infer(inputs)

    def replay(self, placed: Tensors) -> Any:
        """Run on a placed batch."""
        for own, given in zip(self._inputs, placed):
            if own is not given:
                own.copy_(given)
        self._graph.replay()
        return self._outputs


def event_phases(
    torch: Any,
    send: Callable[[], Any],
    run: Callable[[Any], Any],
    receive: Callable[[Any], Any],
) -> dict[str, float]:
    """Return the phases of one batch (s): spans between CUDA events, and the host's own time for enqueue."""
    enqueue_s = 0.0

    def enqueue(placed: Any) -> Any:
        nonlocal enqueue_s
        start = time.perf_counter()
        resident = run(placed)
        enqueue_s = time.perf_counter() - start
        return resident

    torch.cuda.synchronize()
    placed, copy_in_s = _span(torch, send)
    resident, compute_s = _span(torch, lambda: enqueue(placed))
    _, copy_out_s = _span(torch, lambda: receive(resident))
    return {"copy_in": copy_in_s, "enqueue": enqueue_s, "compute": compute_s, "copy_out": copy_out_s}


def _span(torch: Any, work: Callable[[], Any]) -> tuple[Any, float]:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    result = work()
    end.record()
    end.synchronize()
    return result, start.elapsed_time(end) / 1e3
