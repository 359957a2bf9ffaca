"""MNN on the CPU, in float32."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.onnx"
INPUTS: list[str] = []
OUTPUTS: list[str] = []
CONVERT = "import sys, _tools; sys.exit(0 if _tools.mnnconvert(sys.argv) else 1)"  # MNN.tools would report it


class Model:
    """One module and its inputs for each batch size; the file is converted when it is first needed."""

    def __init__(self) -> None:
        from MNN import expr, nn

        self._expr, self._nn = expr, nn
        self._file = HERE / "mnn" / "model.mnn"
        if not self._file.exists():
            self._file.parent.mkdir(exist_ok=True)  # where the converter leaves files
            files = ["--modelFile", str(HERE / ARTIFACT), "--MNNModel", self._file.name]
            command = [sys.executable, "-c", CONVERT, "--framework", "ONNX", *files, "--bizCode", "model"]
            command.append("--keepInputFormat=1")
            subprocess.run(command, cwd=self._file.parent, check=True, stdout=subprocess.DEVNULL)
        self._ready: dict[int, Any] = {}

    def _prepare(self, batch: tuple[Any, ...]) -> Any:
        settings = {"backend": "CPU", "precision": "high", "numThread": THREADS}
        manager = self._nn.create_runtime_manager((settings,))
        module = self._nn.load_module_from_file(str(self._file), INPUTS, OUTPUTS, runtime_manager=manager)
        kinds = {"f": self._expr.float, "i": self._expr.int, "u": self._expr.uint8}
        inputs = [
            self._expr.placeholder(list(array.shape), self._expr.NCHW, kinds[array.dtype.kind])
            for array in map(narrowed, batch)
        ]
        return module, inputs

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if len(batch[0]) not in self._ready:
            self._ready[len(batch[0])] = self._prepare(batch)
        module, inputs = self._ready[len(batch[0])]
        for variable, array in zip(inputs, batch):
            variable.write(narrowed(array))
        expr, outputs = self._expr, module.onForward(inputs)
        blocked = [variable.data_format == expr.NC4HW4 for variable in outputs]
        plain = [expr.convert(each, expr.NCHW) if b else each for each, b in zip(outputs, blocked)]
        return [np.array(variable.read()) for variable in plain]


def narrowed(array: Any) -> Any:
    """Return an array in a type that MNN has: whole numbers have 32 bits."""
    return array.astype(np.int32) if array.dtype.kind in "biu" and array.dtype != np.uint8 else array


if __name__ == "__main__":
    main(Model)
