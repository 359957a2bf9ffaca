"""TensorRT and TensorRT for RTX: an ONNX file built into an engine for each batch size, run in one CUDA stream."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import trt_build
from inferometer.worker.backends.parts.copier import Copier
from inferometer.worker.backends.parts.trt_memory import Cuda, DeviceBuffer, PinnedArray
from inferometer.worker.failures import Unsupported

# what the engine inspector calls element types, in the order that says most about a mixed engine
_TYPES = {
    "int8": ("Int8",), "fp16": ("Half", "FP16"), "bf16": ("BFloat16", "BF16"), "fp32": ("Float", "FP32"),
}  # fmt: skip


class Runtime(Backend):
    """Options: `rtx` takes the module `tensorrt_rtx`. Host mode copies through page-locked buffers of its own."""

    def __init__(self, opening: Opening) -> None:
        if opening.device != "cuda":
            raise Unsupported("TensorRT runs on NVIDIA GPUs only")
        self._trt: Any = importlib.import_module("tensorrt_rtx" if opening.options.get("rtx") else "tensorrt")
        self._opening = opening
        self._cuda = Cuda()
        _check_capability(self._trt, self._cuda.capability())
        self._log = trt_build.logger(self._trt)
        self._runtime = self._trt.Runtime(self._log)
        self._copier = Copier(opening.threads)
        self._prepared: dict[int, _Prepared] = {}
        self._last = 0

    def prepare(self, batch: Batch) -> None:
        """Build the engine for this batch size (or take it from the run's cache) and allocate its buffers."""
        size = len(batch[0])
        self._prepared.pop(size, None)
        names = self._opening.input_names
        built = trt_build.build_engine(
            self._trt,
            self._opening.path,
            self._opening.precision,
            {name: tuple(array.shape) for name, array in zip(names, batch)},
            device=self._cuda.device_name(),
            cache=self._opening.cache / "engines",
        )
        engine = self._runtime.deserialize_cuda_engine(built.data)
        if engine is None:
            raise RuntimeError(f"{self._trt.__name__} cannot load its engine: {self._log.last}")
        self._prepared[size] = _Prepared(self._trt, self._cuda, engine, self._opening, batch, built.facts)
        self._last = size

    def run(self, batch: Batch) -> Outputs:
        """Copy into page-locked memory, over, infer, back; all in one stream, waited for once."""
        return self._take(self.run_resident(self._send(batch)))

    def _send(self, batch: Batch) -> Any:
        """Fill the page-locked buffers and start copying them into the engine's; returns what `place` does."""
        size = len(batch[0])
        ready = self._prepared[size]
        for staged, buffer, array in zip(ready.staged_in, ready.inputs, batch):
            self._copier.copy(staged.array, array)
            self._cuda.copy_in(buffer.address, staged.array)
        return size, ready.inputs

    def _take(self, ready: _Prepared) -> Outputs:
        for staged, buffer in zip(ready.staged_out, ready.outputs):
            self._cuda.copy_out(staged.array, buffer.address)
        self._cuda.synchronise()
        return [_plain(staged.array) for staged in ready.staged_out]

    def place(self, batch: Batch) -> Any:
        """Return the batch in device memory of its own."""
        buffers = [DeviceBuffer(self._cuda, array.nbytes) for array in batch]
        arrays = [np.ascontiguousarray(array) for array in batch]
        for buffer, array in zip(buffers, arrays):
            self._cuda.copy_in(buffer.address, array)
        self._cuda.synchronise()
        return len(batch[0]), buffers

    def run_resident(self, placed: Any) -> Any:
        """Start inference; the outputs stay in the engine's buffers until the next batch of this size."""
        size, buffers = placed
        ready = self._prepared[size]
        ready.start(buffers)
        return ready

    def synchronise(self) -> None:
        """Wait for the stream."""
        self._cuda.synchronise()

    def fetch(self, resident: Any) -> Outputs:
        """Copy the outputs of the latest batch to numpy."""
        return self._take(resident)

    def phases(self, batch: Batch) -> dict[str, float]:
        """Time copies and compute apart, by synchronising between them; the input comes as this mode brings it."""
        send = self.place if self._opening.mode == "device" else self._send
        return phases.timed(lambda: send(batch), self.run_resident, self.synchronise, self.fetch)

    def actual(self) -> dict[str, Any]:
        """Read back device and element types from the engine that ran last."""
        ready = self._prepared[self._last]
        types = ready.layer_types()
        version = self._trt.__version__
        return {
            "device": "cuda",
            "precision": precision_of(types, self._opening.precision, bool(ready.facts["tf32"])),
            "threads": self._opening.threads,
            "version": version,
            "versions": {self._trt.__name__: version, "numpy": np.__version__},
            "details": {
                **ready.facts,
                "gpu": self._cuda.device_name(),
                "layer_types": dict(types),
                "memory": {**ready.memory(), "buffers_bytes": self._cuda.peak_bytes},
            },
        }

    def device_peak_bytes(self) -> int | None:
        """Return what the engines of this cell hold (weights and activations, as they tell) and the peak of own buffers."""
        parts = [size for ready in self._prepared.values() for size in ready.memory().values()]
        return None if None in parts else sum(filter(None, parts)) + self._cuda.peak_bytes

    def reset_device_peak(self) -> None:
        """Begin a new peak of own buffers."""
        self._cuda.peak_bytes = self._cuda.allocated_bytes

    def release(self) -> None:
        """Drop engines and buffers of earlier batch sizes."""
        self._prepared.clear()


@dataclass
class _Prepared:
    """An engine with its context and buffers, for one batch size."""

    trt: Any
    cuda: Cuda
    engine: Any
    opening: Opening
    batch: Batch
    facts: dict[str, Any]

    def __post_init__(self) -> None:
        self.context = self.engine.create_execution_context()
        if self.context is None:
            raise MemoryError(f"{self.trt.__name__}: not enough memory for an execution context")
        names = self.opening.input_names
        for name, array in zip(names, self.batch):
            self.context.set_input_shape(name, tuple(array.shape))
        self.inputs = [DeviceBuffer(self.cuda, array.nbytes) for array in self.batch]
        self.staged_in = [PinnedArray(self.cuda, tuple(array.shape), array.dtype) for array in self.batch]
        self.staged_out = [self._output(name) for name in self.opening.output_names]
        self.outputs = [DeviceBuffer(self.cuda, staged.array.nbytes) for staged in self.staged_out]
        for name, buffer in zip(self.opening.output_names, self.outputs):
            self.context.set_tensor_address(name, buffer.address)

    def _output(self, name: str) -> PinnedArray:
        shape = tuple(self.context.get_tensor_shape(name))
        return PinnedArray(self.cuda, shape, self.trt.nptype(self.engine.get_tensor_dtype(name)))

    def start(self, buffers: list[DeviceBuffer]) -> None:
        """Enqueue inference on inputs in ``buffers``."""
        for name, buffer in zip(self.opening.input_names, buffers):
            self.context.set_tensor_address(name, buffer.address)
        if not self.context.execute_async_v3(self.cuda.stream):
            raise RuntimeError(f"{self.trt.__name__}: the batch could not be enqueued")

    def memory(self) -> dict[str, int | None]:
        """Return the bytes of weights and of a context's activations; None where an older version does not tell."""
        tell = getattr(self.engine, "get_engine_stat", None)
        old = getattr(self.engine, "device_memory_size", None)
        return {
            "weights_bytes": int(tell(self.trt.EngineStat.TOTAL_WEIGHTS_SIZE)) if tell else None,
            "activations_bytes": getattr(self.engine, "device_memory_size_v2", old),
        }

    def layer_types(self) -> Counter[str]:
        """Return how many layers write each element type: as built where types are strong, else as the engine says."""
        if self.facts["layer_types"]:
            return Counter(self.facts["layer_types"])
        inspector = self.engine.create_engine_inspector()
        text = inspector.get_engine_information(self.trt.LayerInformationFormat.JSON)
        return count_types(json.loads(text))


def count_types(information: dict[str, Any]) -> Counter[str]:
    """Count layers by the precision of their first output, from the engine inspector's JSON."""
    counts: Counter[str] = Counter()
    for layer in information.get("Layers", []):
        outputs = layer.get("Outputs", []) if isinstance(layer, dict) else []
        said = outputs[0] if outputs else {}
        text = str(said.get("Format/Datatype") or said.get("Datatype") or "")
        known = next((ours for ours, theirs in _TYPES.items() if any(word in text for word in theirs)), "")
        counts[known or "unknown"] += 1
    return counts


def precision_of(types: Counter[str], asked: str, tf32: bool) -> str:
    """Return what an engine computes in: ``asked`` if any layer does, since inputs and outputs are fp32 in all."""
    if asked in ("fp16", "bf16", "int8"):
        return asked if types[asked] else "fp32"
    lower = [kind for kind in ("int8", "fp16", "bf16") if types[kind]]
    if lower:
        return lower[0]
    return "tf32" if tf32 else "fp32"


def _check_capability(trt: Any, capability: str) -> None:
    """Raise Unsupported where RTX has no code for this GPU, before minutes are spent on building."""
    known = trt_build.targets(trt)
    if known and f"sm_{capability.replace('.', '')}" not in known:
        listed = ", ".join(f"{name[3:-1]}.{name[-1]}" for name in known)
        raise Unsupported(
            f"{trt.__name__} {trt.__version__} runs on compute capability {listed}; this GPU has {capability}"
        )


def _plain(array: Any) -> Any:
    """Return a copy that the next batch does not overwrite, in a type that numpy computes with."""
    return array.astype(np.float32) if array.dtype == np.float16 else array.copy()
