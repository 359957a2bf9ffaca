"""OpenVINO on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.onnx"
PRECISION = "f32"
EXECUTION = "ACCURACY"  # or PERFORMANCE, which lower precisions need


class Model:
    """One compiled model and one infer request for each batch size."""

    def __init__(self) -> None:
        import openvino

        self._core = openvino.Core()
        self._model = self._core.read_model(HERE / ARTIFACT)
        self._requests: dict[int, Any] = {}

    def _compile(self, batch: tuple[Any, ...]) -> Any:
        model = self._model.clone()
        model.reshape({port.any_name: list(array.shape) for port, array in zip(model.inputs, batch)})
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "EXECUTION_MODE_HINT": EXECUTION,
            "INFERENCE_PRECISION_HINT": PRECISION,
            "INFERENCE_NUM_THREADS": THREADS,
            "NUM_STREAMS": 1,
        }
        return self._core.compile_model(model, "CPU", settings).create_infer_request()

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if len(batch[0]) not in self._requests:
            self._requests[len(batch[0])] = self._compile(batch)
        results = self._requests[len(batch[0])].infer(list(batch), share_inputs=True, share_outputs=True)
        return [np.array(value) for value in results.values()]


if __name__ == "__main__":
    main(Model)
