"""ONNX Runtime on an NVIDIA GPU, by its CUDA provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main
from inferometer.exporting.templates.staged import Staged, load_libraries

ARTIFACT = "model.onnx"
HALF = False  # the float32 file is converted to float16 when it is loaded
TF32 = False
GRAPH = False  # each batch size is captured as a CUDA graph
COPIED = False  # numpy to session.run, nothing bound
PROVIDER = "CUDAExecutionProvider"


class Model:
    """One session, and for each batch size inputs and outputs bound to memory of the GPU."""

    def __init__(self) -> None:
        load_libraries()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        cuda = {
            "use_tf32": int(TF32),
            "cudnn_conv_algo_search": "EXHAUSTIVE",
            "enable_cuda_graph": int(GRAPH),
        }
        model = halved(HERE / ARTIFACT) if HALF else str(HERE / ARTIFACT)
        self._session = onnxruntime.InferenceSession(model, options, providers=[(PROVIDER, cuda)])
        if self._session.get_providers()[0] != PROVIDER:
            raise RuntimeError(
                f"{PROVIDER} did not load: onnxruntime has {onnxruntime.get_available_providers()}"
            )
        self._runtime, self._staged, self._bound = onnxruntime, Staged(), dict[int, Any]()

    def _bind(self, batch: tuple[Any, ...]) -> Any:
        """Return a binding whose outputs, too, have memory, of the shapes that a first run gives."""
        new, inputs = self._runtime.OrtValue.ortvalue_from_shape_and_type, self._session.get_inputs()
        binding, settings = self._session.io_binding(), self._runtime.RunOptions()
        settings.add_run_config_entry(
            "gpu_graph_id", "-1"
        )  # outputs move afterwards: this run is not captured
        given = [new(array.shape, array.dtype.type, "cuda", 0) for array in batch]
        for known, value, array in zip(inputs, given, batch):
            value.update_inplace(np.ascontiguousarray(array))
            binding.bind_ortvalue_input(known.name, value)
        for known in self._session.get_outputs():
            binding.bind_output(known.name, "cuda", 0)
        self._session.run_with_iobinding(binding, settings)
        results = [new(v.shape(), v.element_type(), "cuda", 0) for v in binding.get_outputs()]
        for known, value in zip(self._session.get_outputs(), results):
            binding.bind_ortvalue_output(known.name, value)
        settings = self._runtime.RunOptions()
        if GRAPH:
            settings.add_run_config_entry("gpu_graph_id", str(len(batch[0])))
        return binding, settings, given, results

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if COPIED:
            names = [value.name for value in self._session.get_inputs()]
            return list(self._session.run(None, dict(zip(names, batch))))
        if len(batch[0]) not in self._bound:
            self._bound[len(batch[0])] = self._bind(batch)
        binding, settings, given, results = self._bound[len(batch[0])]
        for value, array in zip(given, self._staged.fill(batch)):
            value.update_inplace(array)
        self._session.run_with_iobinding(binding, settings)
        binding.synchronize_outputs()
        return [value.numpy() for value in results]


def halved(path: Path) -> bytes:
    """Return the file with float16 weights and arithmetic; inputs and outputs stay as they are."""
    import onnx
    from onnxruntime.transformers import float16

    model = float16.convert_float_to_float16(onnx.load(path), keep_io_types=True, disable_shape_infer=False)
    data: bytes = model.SerializeToString()
    return data


if __name__ == "__main__":
    main(Model)
