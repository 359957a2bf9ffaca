"""OpenVINO: an ONNX file, SavedModel or LiteRT flatbuffer compiled for this batch size on the CPU plugin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import openvino_integers
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag
from inferometer.worker.precisions import QUANTISED

HINTS = {
    "fp32": "f32",
    "bf16": "bf16",
    "fp16": "f16",
    **dict.fromkeys(QUANTISED, "f32"),
}  # of what is in floats
_UNKNOWN = re.compile(r"No conversion rule found for operations: ([^\n]+)")
_UNREAD = re.compile(r"Conversion is failed for: ([^\n]+)")


class Runtime(Backend):
    """One compiled model and one infer request a shape; precision is pinned, since OpenVINO may pick bf16 by itself."""

    def __init__(self, opening: Opening) -> None:
        import openvino

        if opening.precision not in HINTS:
            raise Unsupported(f"openvino computes in {', '.join(HINTS)}, not {opening.precision}")
        if opening.device != "cpu":
            raise Unsupported("openvino is driven on the CPU here; its GPU plugin is for Intel GPUs")
        self._openvino = openvino
        self._opening = opening
        self._core = openvino.Core()
        _refuse(self._core, opening)
        try:
            self._model = self._core.read_model(opening.path)
        except RuntimeError as error:
            raise Unsupported(_refusal(str(error))) from error
        self._inputs = _places(self._model.inputs, opening.input_names)
        self._outputs = _places(self._model.outputs, opening.output_names)
        self._requests: dict[int, Any] = {}
        self._compiled: Any = None

    def prepare(self, batch: Batch) -> None:
        """Reshape to this batch size and compile: static shapes are OpenVINO's fast path."""
        model = self._model.clone()
        shapes = zip(self._inputs, (list(array.shape) for array in batch), strict=True)
        model.reshape({model.inputs[place].any_name: shape for place, shape in shapes})
        self._compiled = self._core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "EXECUTION_MODE_HINT": "ACCURACY" if self._opening.precision == "fp32" else "PERFORMANCE",
                "INFERENCE_PRECISION_HINT": HINTS[self._opening.precision],
                "INFERENCE_NUM_THREADS": self._opening.threads,
                "NUM_STREAMS": 1,
            },
        )
        self._requests[len(batch[0])] = self._compiled.create_infer_request()

    def run(self, batch: Batch) -> Outputs:
        """Infer without copying the input; copy the outputs, since the request owns them."""
        given = dict(zip(self._inputs, batch))
        results = self._requests[len(batch[0])].infer(given, share_inputs=True, share_outputs=True)
        return [np.array(results[place]) for place in self._outputs]

    def place(self, batch: Batch) -> Any:
        """Return the size, and tensors that share the batch's memory."""
        return len(batch[0]), [self._openvino.Tensor(array, shared_memory=True) for array in batch]

    def run_resident(self, placed: Any) -> Any:
        """Infer; the outputs stay in the request's tensors."""
        size, tensors = placed
        request = self._requests[size]
        for place, tensor in zip(self._inputs, tensors):
            request.set_input_tensor(place, tensor)
        request.infer()
        return request

    def fetch(self, resident: Any) -> Outputs:
        """Copy the outputs to numpy."""
        return [np.array(resident.output_tensors[place].data) for place in self._outputs]

    def release(self) -> None:
        """Drop compiled models of other shapes."""
        self._requests.clear()

    def actual(self) -> dict[str, Any]:
        """Read back device, precision and threads from the compiled model."""
        hint = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        names = {ours for ours, theirs in HINTS.items() if theirs == hint and ours not in QUANTISED}
        version, found = self._openvino.__version__, openvino_integers.look(self._compiled)
        in_integers = found.precision if self._opening.quantised else ""
        precision = names.pop() if names else hint
        return {
            "device": ",".join(self._compiled.get_property("EXECUTION_DEVICES")).lower(),
            "precision": in_integers or precision,
            "threads": int(self._compiled.get_property("INFERENCE_NUM_THREADS")),
            "version": version,
            "versions": {"openvino": version, "numpy": np.__version__},
            "details": {
                "streams": int(self._compiled.get_property("NUM_STREAMS")),
                "operators": dict(found.types),
            },
        }

    def flags(self) -> list[Flag]:
        """Say how many operators of a quantised model are left in floats."""
        return openvino_integers.look(self._compiled).flags(self._opening.quantised)


def _refuse(core: Any, opening: Opening) -> None:
    """Raise Unsupported for half precisions that this CPU has no instructions for: the plugin would use float32."""
    name = {"bf16": "BF16", "fp16": "FP16"}.get(opening.precision)
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if name and name not in able:
        raise Unsupported(
            f"this CPU has no {opening.precision} arithmetic for openvino (it has {', '.join(map(str, able))})"
        )


def _refusal(told: str) -> str:
    """Return why a file cannot be read, in one line: the operators that OpenVINO lacks (by opset), or the last that it said."""
    if unknown := _UNKNOWN.search(told):
        return f"OpenVINO has no operator {unknown[1].strip()}"
    if unread := _UNREAD.search(told):
        return f"OpenVINO cannot convert operator {unread[1].strip()} as this file has it"
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["it does not say why"]
    return f"OpenVINO cannot read this file: {lines[-1][:300]}"


def _places(ports: Any, names: Sequence[str]) -> list[int]:
    """Return where the tensors called ``names`` are among a model's ports; in order where it calls them otherwise."""
    called = {name: place for place, port in enumerate(ports) for name in port.get_names()}
    found = [called.get(name, -1) for name in names]
    return found if sorted(found) == list(range(len(ports))) else list(range(len(ports)))
