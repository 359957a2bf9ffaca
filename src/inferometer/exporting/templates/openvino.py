"""OpenVINO on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.onnx"
INPUTS: list[str] = []
OUTPUTS: list[str] = []
PRECISION = "f32"
EXECUTION = "ACCURACY"  # or PERFORMANCE, which lower precisions need


class Model:
    """One compiled model and one infer request for each batch size."""

    def __init__(self) -> None:
        import openvino

        self._core = openvino.Core()
        self._model = self._core.read_model(HERE / ARTIFACT)
        self._inputs, self._outputs = places(self._model.inputs, INPUTS), places(self._model.outputs, OUTPUTS)
        self._requests: dict[int, Any] = {}

    def _compile(self, batch: tuple[Any, ...]) -> Any:
        model = self._model.clone()
        shapes = zip(self._inputs, (list(array.shape) for array in batch))
        model.reshape({model.inputs[place].any_name: shape for place, shape in shapes})
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
        given = dict(zip(self._inputs, batch))
        results = self._requests[len(batch[0])].infer(given, share_inputs=True, share_outputs=True)
        return [np.array(results[place]) for place in self._outputs]


def places(ports: Any, names: list[str]) -> list[int]:
    """Return where the tensors called ``names`` are among a model's ports; in order where it calls them otherwise."""
    called = {name: place for place, port in enumerate(ports) for name in port.get_names()}
    found = [called.get(name, -1) for name in names]
    return found if sorted(found) == list(range(len(ports))) else list(range(len(ports)))


if __name__ == "__main__":
    main(Model)
