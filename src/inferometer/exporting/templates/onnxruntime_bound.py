"""ONNX Runtime on the CPU, inputs and outputs bound to buffers of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.exporting.templates.onnxruntime_options import session_options
from inferometer.exporting.templates.shared import HERE, main
from inferometer.worker.backends.parts.onnx_free import free_outputs

ARTIFACT = "model.onnx"


class Model:
    """One session, and a binding for each batch size."""

    def __init__(self) -> None:
        import onnxruntime

        options = session_options(onnxruntime)
        self._value = onnxruntime.OrtValue
        self._session = onnxruntime.InferenceSession(
            str(HERE / ARTIFACT), options, providers=["CPUExecutionProvider"]
        )
        self._free = free_outputs(self._session)
        self._bound: dict[int, Any] = {}

    def _bind(self, batch: tuple[Any, ...]) -> Any:
        """Return a binding whose outputs have buffers of the shapes that a first run gives, but those whose shape the data may decide."""
        binding = self._session.io_binding()
        inputs = [self._value.ortvalue_from_numpy(np.array(array), "cpu", 0) for array in batch]
        for known, value in zip(self._session.get_inputs(), inputs):
            binding.bind_ortvalue_input(known.name, value)
        for known in self._session.get_outputs():
            binding.bind_output(known.name, "cpu", 0)
        self._session.run_with_iobinding(binding)
        for known, value in zip(self._session.get_outputs(), binding.get_outputs()):
            if known.name not in self._free:
                own = self._value.ortvalue_from_shape_and_type(value.shape(), value.element_type(), "cpu", 0)
                binding.bind_ortvalue_output(known.name, own)
        return binding, inputs

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if len(batch[0]) not in self._bound:
            self._bound[len(batch[0])] = self._bind(batch)
        binding, inputs = self._bound[len(batch[0])]
        for value, array in zip(inputs, batch):
            value.update_inplace(np.ascontiguousarray(array))
        for name in self._free:  # whose memory of the last batch the binding keeps
            binding.bind_output(name, "cpu", 0)
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return [np.array(value.numpy()) for value in binding.get_outputs()]


if __name__ == "__main__":
    main(Model)
