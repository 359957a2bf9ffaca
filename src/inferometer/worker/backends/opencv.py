"""OpenCV's DNN module: an ONNX file on the CPU, by its graph engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import opencv_gates
from inferometer.worker.failures import Unsupported


class Runtime(Backend):
    """One net a shape: another shape allocates anew, which must not happen inside a timed loop."""

    def __init__(self, opening: Opening) -> None:
        import cv2

        if opening.device != "cpu":
            raise Unsupported("OpenCV's wheels compute on the CPU only")
        if opening.precision != "fp32":
            raise Unsupported(f"OpenCV computes in fp32 on this processor, not in {opening.precision}")
        cv2.setNumThreads(opening.threads)
        self._cv2 = cv2
        self._opening = opening
        self._nets: dict[int, Any] = {}
        self._content, self._gates = opencv_gates.kept_apart(opening.path)
        self._load()  # what it cannot read is said before any cell

    def _load(self) -> Any:
        file = str(self._opening.path) if self._content is None else np.frombuffer(self._content, np.uint8)
        try:
            return self._cv2.dnn.readNetFromONNX(file)
        except self._cv2.error as error:
            raise Unsupported(f"OpenCV cannot read this file: {error.err}") from error

    def prepare(self, batch: Batch) -> None:
        """Give this shape a net of its own and run it once, which allocates and packs weights."""
        self._nets[len(batch[0])] = self._load()
        try:
            self.run(batch)
        except self._cv2.error as error:
            raise Unsupported(f"OpenCV cannot compute this: {error.err}") from error

    def run(self, batch: Batch) -> Outputs:
        """Set the inputs, compute, return arrays of the call's own."""
        net = self._nets[len(batch[0])]
        for name, array in zip(self._opening.input_names, batch):
            net.setInput(array, name)
        return list(net.forward(list(self._opening.output_names)))

    def actual(self) -> dict[str, Any]:
        """Read back threads and version; the precision is that of the outputs, since the net tells none."""
        version = self._cv2.__version__
        return {
            "device": "cpu",
            "precision": "fp32",
            "threads": self._cv2.getNumThreads(),
            "version": version,
            "versions": {"opencv": version, "numpy": np.__version__},
            **({"details": {"gates kept apart": self._gates}} if self._gates else {}),
        }
