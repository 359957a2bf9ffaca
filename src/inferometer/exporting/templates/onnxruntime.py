"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.onnx"


class Model:
    """One session for every batch size."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(HERE / ARTIFACT), options, providers=providers)
        self._names = [value.name for value in self._session.get_inputs()]

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        outputs: list[Any] = self._session.run(None, dict(zip(self._names, batch)))
        return outputs


if __name__ == "__main__":
    main(Model)
