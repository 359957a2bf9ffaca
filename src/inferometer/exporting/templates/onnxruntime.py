"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.onnxruntime_options import session_options
from inferometer.exporting.templates.shared import HERE, main

ARTIFACT = "model.onnx"


class Model:
    """One session for every batch size."""

    def __init__(self) -> None:
        import onnxruntime

        options = session_options(onnxruntime)
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(HERE / ARTIFACT), options, providers=providers)
        self._names = [value.name for value in self._session.get_inputs()]

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        outputs: list[Any] = self._session.run(None, dict(zip(self._names, batch)))
        return outputs


if __name__ == "__main__":
    main(Model)
