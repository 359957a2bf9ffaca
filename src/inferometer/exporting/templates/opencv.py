"""OpenCV's DNN module on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main
from inferometer.worker.backends.parts.opencv_gates import kept_apart

ARTIFACT = "model.onnx"
INPUTS: list[str] = []
OUTPUTS: list[str] = []


class Model:
    """One net for each batch size."""

    def __init__(self) -> None:
        import cv2

        cv2.setNumThreads(THREADS)
        self._read: Any = cv2.dnn.readNetFromONNX
        content, _ = kept_apart(HERE / ARTIFACT)
        self._file: Any = str(HERE / ARTIFACT) if content is None else np.frombuffer(content, np.uint8)
        self._nets: dict[int, Any] = {}

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if len(batch[0]) not in self._nets:
            self._nets[len(batch[0])] = self._read(self._file)
        net = self._nets[len(batch[0])]
        for name, array in zip(INPUTS, batch):
            net.setInput(array, name)
        return list(net.forward(OUTPUTS))


if __name__ == "__main__":
    main(Model)
