"""ONNX Runtime on the CPU, with an execution provider of a package of its own."""

from __future__ import annotations

import importlib
import json
from typing import Any

from inferometer.exporting.templates.onnxruntime_options import session_options
from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.onnx"
PLUGIN = "openvino"  # onnxruntime-ep-NAME


class Model:
    """One session for every batch size."""

    def __init__(self) -> None:
        import onnxruntime

        options = session_options(onnxruntime)
        package = importlib.import_module(f"onnxruntime_ep_{PLUGIN}")
        onnxruntime.register_execution_provider_library(PLUGIN, package.get_library_path())
        own = [each for each in onnxruntime.get_ep_devices() if each.ep_name == package.get_ep_names()[0]]
        cpus = [each for each in own if each.device.type.name == "CPU"]
        # in OpenVINO's own words; a CPU with AMX computes in bf16 unless told
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(THREADS)}
        options.add_provider_for_devices(cpus[:1], {"load_config": json.dumps({"CPU": settings})})
        self._session = onnxruntime.InferenceSession(str(HERE / ARTIFACT), options, providers=[])
        self._names = [value.name for value in self._session.get_inputs()]

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        outputs: list[Any] = self._session.run(None, dict(zip(self._names, batch)))
        return outputs


if __name__ == "__main__":
    main(Model)
