"""uint8 batches through pinned buffers and three streams: copies in, computation and copies out overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inferometer.worker.backend import Batch, Outputs, Pipeline
from inferometer.worker.backends.parts.copier import Copier
from inferometer.worker.backends.parts.pipeline_depth import pipeline_depth
from inferometer.worker.backends.parts.torch_transfer import pinned_like


class _Slot:
    """The buffers of one batch in flight."""

    def __init__(self, torch: Any, device: Any, inputs: list[Any]) -> None:
        self.pinned = [pinned_like(torch, tensor, tensor.dtype) for tensor in inputs]
        self.views = [tensor.numpy() for tensor in self.pinned]
        self.placed = [torch.empty_like(tensor, device=device, pin_memory=False) for tensor in self.pinned]
        self.received: list[Any] = []
        self.arrived, self.computed, self.done = (torch.cuda.Event() for _ in range(3))
        self.outputs: Any = None  # kept until copied out; None: the slot is free


class PinnedPipeline(Pipeline):
    """`depth` batches in flight; the numpy copies are spread over threads, since they release the interpreter lock."""

    def __init__(
        self, torch: Any, device: Any, infer: Callable[[list[Any]], Any], batch: Batch, threads: int
    ) -> None:
        self._torch = torch
        self._infer = infer
        self._copier = Copier(threads)
        self._inbound, self._compute, self._outbound = (torch.cuda.Stream(device) for _ in range(3))
        inputs = [torch.from_numpy(array) for array in batch]
        placed = [tensor.to(device) for tensor in inputs]
        with torch.cuda.stream(self._compute):  # compiles, chooses kernels, and shows the outputs' shapes
            self._compute.wait_stream(torch.cuda.default_stream(device))
            outputs = self._floats(self._infer(placed))
        torch.cuda.synchronize()
        self._slots = [_Slot(torch, device, inputs) for _ in range(pipeline_depth(batch))]
        for slot in self._slots:
            slot.received = [pinned_like(torch, tensor, tensor.dtype) for tensor in outputs]
        self._next = 0

    @staticmethod
    def _floats(tensors: Any) -> list[Any]:
        return [tensor.float() if tensor.is_floating_point() else tensor for tensor in tensors]

    def submit(self, batch: Batch) -> list[Outputs]:
        """Wait for the oldest slot, deliver what it holds, and start on the batch in it."""
        torch, slot = self._torch, self._slots[self._next]
        self._next = (self._next + 1) % len(self._slots)
        ready = self._deliver(slot)
        self._fill(slot, batch)
        with torch.cuda.stream(self._inbound):
            for placed, pinned in zip(slot.placed, slot.pinned):
                placed.copy_(pinned, non_blocking=True)
            slot.arrived.record()
        with torch.cuda.stream(self._compute):
            slot.arrived.wait()
            outputs = self._floats(self._infer(slot.placed))
            slot.computed.record()
        with torch.cuda.stream(self._outbound):
            slot.computed.wait()
            for received, output in zip(slot.received, outputs):
                received.copy_(output, non_blocking=True)
            slot.done.record()
        slot.outputs = outputs
        return ready

    def drain(self) -> list[Outputs]:
        """Deliver every slot, the oldest first."""
        order = [*self._slots[self._next :], *self._slots[: self._next]]
        return [outputs for slot in order for outputs in self._deliver(slot)]

    def _deliver(self, slot: _Slot) -> list[Outputs]:
        if slot.outputs is None:
            return []
        slot.done.synchronize()
        slot.outputs = None
        return [[tensor.numpy().copy() for tensor in slot.received]]

    def _fill(self, slot: _Slot, batch: Batch) -> None:
        for view, array in zip(slot.views, batch):
            self._copier.copy(view, array)
