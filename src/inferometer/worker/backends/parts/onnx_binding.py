"""Inputs and outputs of one shape bound to buffers on ONNX Runtime's device."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.backend import Batch, Opening, Outputs
from inferometer.worker.backends.parts.onnx_free import free_outputs
from inferometer.worker.backends.parts.pinned_memory import PinnedBuffers

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Binding:
    """One shape: device buffers allocated once, filled in place, outputs left on the device until read.

    With ``pinned`` they are filled from its page-locked buffers. `OrtValue.update_inplace` returns when the copy has
    arrived (`cudaMemcpy`, then `cudaStreamSynchronize`), so that these are free for the next batch.
    """

    def __init__(
        self, runtime: Any, session: Any, opening: Opening, batch: Batch, pinned: PinnedBuffers | None = None
    ) -> None:
        self._runtime, self._session, self._device = runtime, session, opening.device
        self._pinned = pinned
        self._inputs = session.get_inputs()
        self._outputs = session.get_outputs()
        self._fixed = bool(opening.options.get("cudagraph"))
        self._binding = session.io_binding()
        self._run_options = runtime.RunOptions()
        if self._fixed:
            self._run_options.add_run_config_entry("gpu_graph_id", str(len(batch[0])))
        self._values = [self._own(array) for array in self._typed(batch)]
        # of a CUDA graph all are fixed: operators that decide a shape wait for the device, which no graph captures
        self._free = [] if self._fixed else free_outputs(session)
        self._bind(self._values)
        self._bind_outputs()

    def _typed(self, batch: Batch) -> Batch:
        """Return contiguous arrays of the types that the model takes."""
        pairs = zip(batch, self._kinds(batch))
        return tuple(np.ascontiguousarray(array, dtype=kind) for array, kind in pairs)

    def _kinds(self, batch: Batch) -> list[Any]:
        return [_TYPES.get(value.type, array.dtype) for value, array in zip(self._inputs, batch)]

    def _own(self, array: Any) -> Any:
        """Return a buffer of this array's shape and values; on the CPU too it is none of numpy's."""
        value = self._runtime.OrtValue.ortvalue_from_shape_and_type(
            array.shape, array.dtype.type, self._device, 0
        )
        value.update_inplace(array)
        return value

    def _bind(self, values: list[Any]) -> None:
        for value, name in zip(values, self._inputs):
            self._binding.bind_ortvalue_input(name.name, value)

    def _bind_outputs(self) -> None:
        """Bind outputs to fixed buffers of the shapes that one unbound run gives, but those whose shape the data may decide."""
        self._unbind([output.name for output in self._outputs])
        options = self._runtime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", "-1")  # outputs move afterwards: do not capture this run
        self._session.run_with_iobinding(self._binding, options)
        for output, value in zip(self._outputs, self._binding.get_outputs()):
            if output.name not in self._free:
                fixed = self._runtime.OrtValue.ortvalue_from_shape_and_type(
                    value.shape(), value.element_type(), self._device, 0
                )
                self._binding.bind_ortvalue_output(output.name, fixed)

    def _unbind(self, names: list[str]) -> None:
        """Leave the buffers of outputs to the next run: a binding keeps those of the last."""
        for name in names:
            self._binding.bind_output(name, self._device, 0)

    def fill(self, batch: Batch) -> None:
        """Copy a batch into the input buffers."""
        staged = tuple(self._pinned.fill(batch, self._kinds(batch))) if self._pinned else batch
        for own, array in zip(self._values, self._typed(staged)):
            own.update_inplace(array)

    def place(self, batch: Batch) -> tuple[Binding, list[Any]]:
        """Return this binding and the batch in buffers of its own on the device."""
        make = self._runtime.OrtValue.ortvalue_from_numpy
        return self, [make(array, self._device, 0) for array in self._typed(batch)]

    def run(self) -> None:
        """Run on the input buffers."""
        self._unbind(self._free)
        self._session.run_with_iobinding(self._binding, self._run_options)

    def run_on(self, values: list[Any]) -> None:
        """Run on placed values: bound directly, or copied on the device into the buffers that a CUDA graph reads."""
        if self._fixed:
            for own, given in zip(self._values, values):
                own.update_inplace(given)
        else:
            self._bind(values)
        self.run()

    def synchronise(self) -> None:
        """Wait for the outputs."""
        self._binding.synchronize_outputs()

    def read(self) -> Outputs:
        """Return the outputs as numpy, in arrays of their own."""
        self.synchronise()
        return [
            np.array(value.numpy()) if self._device == "cpu" else value.numpy()
            for value in self._binding.get_outputs()
        ]
