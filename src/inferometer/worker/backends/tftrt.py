"""TF-TRT: a SavedModel whose subgraphs TensorRT took over; TensorFlow 2.14 to 2.17 with the TensorRT it was built for.

2.17 was the last release with it. TF-TRT sets TensorRT's TF32 flag as TensorFlow's own switch says.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import tf_transfer
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag, flag

_MODES = {"fp32": "FP32", "tf32": "FP32", "fp16": "FP16"}


class Runtime(Backend):
    """One conversion a batch size, its engines built for that size beforehand.

    `naive` makes a tensor of every batch as `tf.constant` does, instead of page-locking memory.
    """

    def __init__(self, opening: Opening) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        if opening.device != "cuda":
            raise Unsupported("TF-TRT runs on NVIDIA GPUs only")
        if opening.precision not in _MODES:
            raise Unsupported(f"TF-TRT converts to {', '.join(_MODES)} here, not {opening.precision}")
        import tensorflow

        self._tf = tensorflow
        self._opening = opening
        self._converter = _converter(tensorflow)
        tensorflow.config.experimental.enable_tensor_float_32_execution(opening.precision == "tf32")
        gpus = tensorflow.config.list_physical_devices("GPU")
        if not gpus:
            raise Unsupported(
                f"tensorflow {tensorflow.__version__} sees no GPU: its CUDA libraries did not load"
            )
        for gpu in gpus:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        self._host = tf_transfer.host_path(tensorflow, opening)
        self._functions: dict[int, Any] = {}
        self._nodes: dict[str, int] = {}
        self._last: Any = None

    def prepare(self, batch: Batch) -> None:
        """Convert, build engines for this shape, run once; Unsupported if TensorRT took no part of the graph."""
        converter = self._converter.TrtGraphConverterV2(
            input_saved_model_dir=str(self._opening.path),
            precision_mode=_MODES[self._opening.precision],
            use_dynamic_shape=False,
            maximum_cached_engines=1,
        )
        function = converter.convert()
        converter.build(input_fn=lambda: iter([tuple(self._tf.constant(array) for array in batch)]))
        self._nodes = count_nodes(function.graph.as_graph_def())
        if not self._nodes["tensorrt"]:
            raise Unsupported("TF-TRT converted no part of this graph: it would run on TensorFlow alone")
        self._functions[len(batch[0])] = function
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self.fetch(self.run_resident(self._tensors(batch)))

    def _tensors(self, batch: Batch) -> Any:
        with self._tf.device("/GPU:0"):
            return self._host.send(batch)

    def place(self, batch: Batch) -> Any:
        """Return the batch as tensors on the GPU."""
        with self._tf.device("/GPU:0"):
            return [self._tf.identity(self._tf.constant(array)) for array in batch]

    def run_resident(self, placed: Any) -> Any:
        """Return output tensors by name."""
        function = self._functions[int(placed[0].shape[0])]
        self._last = function(**dict(zip(self._opening.input_names, placed)))
        return self._last

    def synchronise(self) -> None:
        """Wait for the device: TensorFlow runs GPU work in order, so the last output's arrival is the end."""
        if self._last is not None:
            self.fetch(self._last)

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy, in the artifact's order where they have names."""
        if isinstance(resident, dict):
            names = self._opening.output_names or tuple(resident)
            return [np.asarray(resident[name]) for name in names]
        values = resident if isinstance(resident, (list, tuple)) else [resident]
        return [np.asarray(value) for value in values]

    def phases(self, batch: Batch) -> dict[str, float]:
        """Time copies and compute apart, by synchronising between them."""
        return phases.timed(lambda: self._tensors(batch), self.run_resident, self.synchronise, self.fetch)

    def actual(self) -> dict[str, Any]:
        """Read back the output's device, the converter's precision and how much of the graph TensorRT took."""
        values = self._last.values() if isinstance(self._last, dict) else self._last
        tensor = next(iter(values))
        version = self._tf.__version__
        return {
            "device": "cuda" if "GPU" in tensor.device else "cpu",
            "precision": self._opening.precision,  # engines do not tell; the builder's flag was set to it
            "threads": self._opening.threads,
            "version": version,
            "versions": {"tensorflow": version, "tensorrt": _linked_version(), "numpy": np.__version__},
            "details": {"nodes": self._nodes, "precision_source": "converter setting, not read back"},
        }

    def flags(self) -> list[Flag]:
        """Say how many operations TensorRT left to TensorFlow, and what kept batches out of page-locked memory."""
        left = self._nodes.get("tensorflow", 0)
        told = [flag("left-to-tensorflow", count=left)] if left else []
        return [*told, *self._host.flags()]

    def device_peak_bytes(self) -> int | None:
        """Return the BFC allocator's peak, which TensorRT's engines allocate from."""
        return int(self._tf.config.experimental.get_memory_info("GPU:0")["peak"])

    def release(self) -> None:
        """Drop the last outputs and staging buffers."""
        self._last = None
        self._host.release()


def count_nodes(graph: Any) -> dict[str, int]:
    """Count a converted graph's nodes: engines, and operations that compute outside of them."""
    passive = {"Placeholder", "Const", "Identity", "NoOp", "PartitionedCall", "StatefulPartitionedCall"}
    operations = [node.op for node in graph.node]
    for function in graph.library.function:
        if not function.signature.name.startswith("TRTEngineOp"):  # the fallback copy inside an engine
            operations += [node.op for node in function.node_def]
    engines = operations.count("TRTEngineOp")
    others = sum(operation not in passive and operation != "TRTEngineOp" for operation in operations)
    return {"tensorrt": engines, "tensorflow": others}


def _converter(tensorflow: Any) -> Any:
    try:
        from tensorflow.python.compiler.tensorrt import trt_convert
    except ImportError as error:
        raise Unsupported(
            f"TensorFlow {tensorflow.__version__} has no TF-TRT: 2.17 was the last release with it"
        ) from error
    if not any(_linked_version_numbers()):
        raise Unsupported(f"this build of TensorFlow {tensorflow.__version__} was made without TensorRT")
    return trt_convert


def _linked_version_numbers() -> tuple[int, ...]:
    try:
        from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils
    except ImportError:
        return (0,)
    numbers: tuple[int, ...] = tuple(_pywrap_py_utils.get_linked_tensorrt_version())
    return numbers


def _linked_version() -> str:
    return ".".join(map(str, _linked_version_numbers()))
