"""ONNX Runtime on an NVIDIA GPU, by its CUDA provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from inferometer.exporting.templates.onnxruntime_options import session_options
from inferometer.exporting.templates.shared import HERE, main
from inferometer.exporting.templates.staged import Staged, load_libraries
from inferometer.worker.backends.parts.onnx_free import free_outputs

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

        options = session_options(onnxruntime)
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
        self._names = [value.name for value in self._session.get_inputs()]
        self._runtime, self._staged, self._bound = onnxruntime, Staged(), dict[int, Any]()
        self._free = [] if GRAPH else free_outputs(self._session)

    def _bind(self, batch: tuple[Any, ...]) -> Any:
        """Return a binding whose outputs have memory of the shapes that a first run gives, but those whose shape the data may decide."""
        new = self._runtime.OrtValue.ortvalue_from_shape_and_type
        binding, settings = self._session.io_binding(), self._runtime.RunOptions()
        settings.add_run_config_entry("gpu_graph_id", "-1")  # not captured: outputs move afterwards
        given = [new(array.shape, array.dtype.type, "cuda", 0) for array in batch]
        for name, value, array in zip(self._names, given, batch):
            value.update_inplace(np.ascontiguousarray(array))
            binding.bind_ortvalue_input(name, value)
        for known in self._session.get_outputs():
            binding.bind_output(known.name, "cuda", 0)
        self._session.run_with_iobinding(binding, settings)
        for known, value in zip(self._session.get_outputs(), binding.get_outputs()):
            if known.name not in self._free:
                own = new(value.shape(), value.element_type(), "cuda", 0)
                binding.bind_ortvalue_output(known.name, own)
        settings = self._runtime.RunOptions()
        if GRAPH:
            settings.add_run_config_entry("gpu_graph_id", str(len(batch[0])))
        return binding, settings, given

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if COPIED:
            return list(self._session.run(None, dict(zip(self._names, batch))))
        if len(batch[0]) not in self._bound:
            self._bound[len(batch[0])] = self._bind(batch)
        binding, settings, given = self._bound[len(batch[0])]
        for value, array in zip(given, self._staged.fill(batch)):
            value.update_inplace(array)
        for name in self._free:  # whose memory of the last batch the binding keeps
            binding.bind_output(name, "cuda", 0)
        self._session.run_with_iobinding(binding, settings)
        binding.synchronize_outputs()
        return [value.numpy() for value in binding.get_outputs()]


def halved(path: Path) -> bytes:
    """Return the file with float16 weights and arithmetic; inputs and outputs stay as they are."""
    import onnx
    from onnxruntime.transformers import float16

    model = float16.convert_float_to_float16(onnx.load(path), keep_io_types=True, disable_shape_infer=False)
    data: bytes = model.SerializeToString()
    return data


if __name__ == "__main__":
    main(Model)
