"""LiteRT (formerly TensorFlow Lite): a flatbuffer on the CPU, through the XNNPACK delegate."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import litert_integers
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag
from inferometer.worker.precisions import QUANTISED


class Runtime(Backend):
    """One interpreter a shape: resizing an interpreter back and forth would allocate inside the timed loop."""

    def __init__(self, opening: Opening) -> None:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter

        if opening.device != "cpu":
            raise Unsupported("LiteRT is driven on the CPU here")
        if opening.precision not in ("fp32", *QUANTISED):
            raise Unsupported(f"LiteRT runs the types that are in the flatbuffer, not {opening.precision}")
        self._version = ai_edge_litert.__version__
        self._interpreter = Interpreter
        self._opening = opening
        # a signature runner keeps views of its interpreter's tensors, which then cannot be resized: ask another one
        described = Interpreter(model_path=str(opening.path))
        self._integers = litert_integers.look(described)
        inputs, outputs = _named(described)
        self._inputs = [inputs[name]["index"] for name in opening.input_names]
        self._outputs = [outputs[name]["index"] for name in opening.output_names]
        self._ready: dict[int, Any] = {}

    def prepare(self, batch: Batch) -> None:
        """Size an interpreter for this batch, allocate, and run once: XNNPACK packs the weights then."""
        interpreter = self._interpreter(model_path=str(self._opening.path), num_threads=self._opening.threads)
        for index, array in zip(self._inputs, batch):
            interpreter.resize_tensor_input(index, array.shape, strict=True)
        interpreter.allocate_tensors()
        self._ready[len(batch[0])] = interpreter
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, invoke, copy out."""
        interpreter = self._ready[len(batch[0])]
        for index, array in zip(self._inputs, batch):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._outputs]

    def actual(self) -> dict[str, Any]:
        """Read back the outputs' type; threads as given, since the interpreter does not tell them."""
        interpreter = next(reversed(self._ready.values()))
        kinds = {interpreter.get_tensor(index).dtype for index in self._outputs}
        return {
            "device": "cpu",
            "precision": self._precision(kinds),
            "threads": self._opening.threads,
            "version": self._version,
            "versions": {"ai-edge-litert": self._version, "numpy": np.__version__},
            "details": {"operators": dict(self._integers.types)},
        }

    def _precision(self, kinds: set[Any]) -> str:
        if self._opening.quantised and self._integers.precision:
            return self._integers.precision
        return "fp32" if np.dtype(np.float16) not in kinds else "fp16"

    def flags(self) -> list[Flag]:
        """Say how many operators of a quantised model are left in floats."""
        return self._integers.flags(self._opening.quantised)


def _named(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return inputs and outputs by name: by the tensors' own, and by the signature's, where there is one."""
    inputs = {item["name"]: item for item in interpreter.get_input_details()}
    outputs = {item["name"]: item for item in interpreter.get_output_details()}
    if "serving_default" in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner("serving_default")
        inputs, outputs = inputs | runner.get_input_details(), outputs | runner.get_output_details()
    return inputs, outputs
