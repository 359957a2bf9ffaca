"""ONNX Runtime: an ONNX file on the CPU or the CUDA execution provider."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.failures import Misplaced, Unsupported

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Runtime(Backend):
    """An `InferenceSession` with one provider asked for by name; the CPU provider only where the device is the CPU."""

    def __init__(self, opening: Opening) -> None:
        import onnxruntime

        if opening.precision not in ("fp32", "tf32"):
            raise Unsupported(
                f"onnxruntime runs the artifact as it is, in fp32; {opening.precision} needs an artifact of its own"
            )
        if opening.precision == "tf32" and opening.device == "cpu":
            raise Unsupported("tf32 exists on NVIDIA GPUs only")
        self._runtime = onnxruntime
        self._opening = opening
        self._session = onnxruntime.InferenceSession(
            str(opening.path), sess_options=self._options(), providers=[self._provider()]
        )
        self._names = [value.name for value in self._session.get_inputs()]
        if self._session.get_providers()[0] != _PROVIDERS[opening.device]:
            raise Misplaced(
                f"onnxruntime fell back to {self._session.get_providers()[0]}: the CUDA provider did not load"
            )

    def _options(self) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._opening.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = self._runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        return options

    def _provider(self) -> Any:
        if self._opening.device == "cpu":
            return _PROVIDERS["cpu"]
        return (_PROVIDERS["cuda"], {"device_id": 0, "use_tf32": int(self._opening.precision == "tf32")})

    def prepare(self, batch: Batch) -> None:
        """Run once: arenas are allocated, and CUDA kernels chosen, at the first run of a shape."""
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Feed numpy arrays, get numpy arrays."""
        outputs: Outputs = self._session.run(None, dict(zip(self._names, batch)))
        return outputs

    def actual(self) -> dict[str, Any]:
        """Read back provider, threads and the element type that the session computes in."""
        return {
            "device": {name: device for device, name in _PROVIDERS.items()}.get(
                self._session.get_providers()[0], ""
            ),
            "precision": self._precision(),
            "threads": self._session.get_session_options().intra_op_num_threads,
            "version": self._runtime.__version__,
            "versions": {"onnxruntime": self._runtime.__version__, "numpy": np.__version__},
            "details": {"providers": self._session.get_providers()},
        }

    def _precision(self) -> str:
        kinds = {value.type for value in (*self._session.get_inputs(), *self._session.get_outputs())}
        if "tensor(float16)" in kinds:
            return "fp16"
        options = self._session.get_provider_options().get(_PROVIDERS["cuda"], {})
        return "tf32" if options.get("use_tf32") == "1" else "fp32"
