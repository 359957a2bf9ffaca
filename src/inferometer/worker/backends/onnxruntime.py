"""ONNX Runtime: an ONNX file on the CPU, CUDA or TensorRT execution provider."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import onnx_half, onnx_integers, onnx_plugin, stray_nodes
from inferometer.worker.backends.parts.onnx_binding import Binding
from inferometer.worker.backends.parts.pinned_memory import PageLock, PinnedBuffers
from inferometer.worker.failures import Misplaced, Unsupported
from inferometer.worker.flags import Flag

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_PRECISIONS = {
    "cpu": ("fp32", "int8", "int8-weights"),
    "cuda": ("fp32", "tf32", "fp16"),
    "tensorrt": ("fp32", "tf32", "fp16"),
}
_FLOATS = {"tensor(float)", "tensor(float16)", "tensor(double)"}

_OVERRIDE = "NVIDIA_TF32_OVERRIDE"


class Runtime(Backend):
    """An `InferenceSession` with its providers asked for by name.

    On a GPU inputs and outputs are bound to buffers that are allocated once a shape, and filled from page-locked memory;
    `naive` hands numpy to `session.run` instead, as the study did. On the CPU `session.run` copies nothing, and `io-binding` is a variant.
    `cudagraph` captures each shape as a CUDA graph. Lower precision is made here from the float32 file.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._kind = opening.options.get("provider", opening.device)
        _refuse(opening, self._kind)
        if self._kind == "tensorrt":
            _set_tf32(opening.precision)
        import onnxruntime

        self._runtime = onnxruntime
        self._plugin = onnx_plugin.register(onnxruntime, opening) if opening.options.get("plugin") else None
        self._optimised = onnx_integers.place(opening.cache) if self._tells_integers() else None
        self._provider = self._plugin.provider if self._plugin else _PROVIDERS[self._kind]
        self._session = onnxruntime.InferenceSession(
            self._model(), sess_options=self._options(), providers=self._providers()
        )
        self._names = [value.name for value in self._session.get_inputs()]
        if self._session.get_providers()[0] != self._provider:
            raise Misplaced(
                f"onnxruntime {onnxruntime.__version__} fell back to {self._session.get_providers()[0]}: "
                f"{self._provider} did not load (it has {', '.join(onnxruntime.get_available_providers())})"
            )
        self._nodes = self._assignment()
        self._operators = onnx_integers.look(self._optimised) if self._optimised else None
        if self._plugin:
            self._plugin.check(self._nodes)
        self._bound = not opening.options.get("naive") and (
            opening.device == "cuda" or bool(opening.options.get("binding")) or opening.mode == "device"
        )
        self._pinned = self._page_locked() if self._bound else None
        self._bindings: dict[int, Binding] = {}
        self._last: Binding | None = None

    def _tells_integers(self) -> bool:
        """Return whether the optimised model is to be written and read; one with a provider's compiled nodes cannot be."""
        return self._kind in ("cpu", "cuda") and self._plugin is None and self._opening.quantised

    def _page_locked(self) -> PinnedBuffers | None:
        if self._opening.device != "cuda" or self._opening.mode != "host":
            return None
        cuda_version = getattr(self._runtime, "cuda_version", "") or ""
        return PinnedBuffers(self._opening.threads, PageLock(cuda_version))

    def _model(self) -> Any:
        if self._opening.precision != "fp16" or self._kind == "tensorrt":
            return str(self._opening.path)
        return onnx_half.halved(self._opening)

    def _options(self) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._opening.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = self._runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if self._plugin:
            self._plugin.add_to(options)
        if self._optimised:
            options.optimized_model_filepath = str(self._optimised)
        return options

    def _providers(self) -> list[Any]:
        if self._plugin:
            return []  # those of the options
        if self._kind == "cpu":
            return [_PROVIDERS["cpu"]]
        cuda = {
            "device_id": 0,
            "use_tf32": int(self._opening.precision == "tf32"),
            "cudnn_conv_algo_search": "EXHAUSTIVE",
            "enable_cuda_graph": int(bool(self._opening.options.get("cudagraph"))),
        }
        if self._kind == "cuda":
            return [(_PROVIDERS["cuda"], cuda)]
        # its names of engines do not tell TF32 on from off
        folder = self._opening.cache / "tensorrt" / self._opening.precision
        folder.mkdir(parents=True, exist_ok=True)
        tensorrt = {
            "device_id": 0,
            "trt_fp16_enable": self._opening.precision == "fp16",
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": True,
            "trt_timing_cache_path": str(folder),
        }
        return [(_PROVIDERS["tensorrt"], tensorrt), (_PROVIDERS["cuda"], cuda)]

    def _assignment(self) -> dict[str, list[stray_nodes.Stray]]:
        """Return the nodes of each provider, as the session assigned them; {} where this version does not tell."""
        tell = getattr(self._session, "get_provider_graph_assignment_info", None)
        nodes: dict[str, list[stray_nodes.Stray]] = {}
        for part in tell() if tell else ():
            nodes.setdefault(part.ep_name, []).extend((node.name, node.op_type) for node in part.get_nodes())
        return nodes

    def prepare(self, batch: Batch) -> None:
        """Run a shape twice: arenas are allocated and CUDA kernels chosen at the first run, a CUDA graph captured by the second."""
        if self._bound:
            self._bindings[len(batch[0])] = Binding(
                self._runtime, self._session, self._opening, batch, self._pinned
            )
            self.run(batch)
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Feed numpy arrays, get numpy arrays."""
        if not self._bound:
            outputs: Outputs = self._session.run(None, dict(zip(self._names, batch)))
            return outputs
        binding = self._bindings[len(batch[0])]
        binding.fill(batch)
        self._last = binding
        binding.run()
        return binding.read()

    def place(self, batch: Batch) -> Any:
        """Return the batch's size and its values on the device; a CUDA graph's inputs cannot be exchanged, so they are copied."""
        return self._bindings[len(batch[0])].place(batch)

    def run_resident(self, placed: Any) -> Any:
        """Run on a placed batch; ONNX Runtime itself waits for its stream at the end of every run."""
        binding, values = placed
        self._last = binding
        binding.run_on(values)
        return binding

    def synchronise(self) -> None:
        """Wait for the outputs of the last run."""
        if self._last is not None:
            self._last.synchronise()

    def fetch(self, resident: Any) -> Outputs:
        """Copy the outputs to numpy."""
        return onnx_half.widened(resident.read())

    def phases(self, batch: Batch) -> dict[str, float]:
        """Return phases by host timers where inputs are bound; `session.run` does not let them be told apart."""
        if not self._bound:
            return {}
        binding = self._bindings[len(batch[0])]
        return phases.timed(
            lambda: binding.fill(batch),
            lambda _: binding.run(),
            binding.synchronise,
            lambda _: binding.read(),
        )

    def actual(self) -> dict[str, Any]:
        """Read back providers and their nodes, threads, and the precision that the session computes in."""
        counts = {name: len(nodes) for name, nodes in self._nodes.items()}
        busiest = max(counts, key=lambda name: counts[name]) if counts else self._session.get_providers()[0]
        devices = {name: "cpu" if kind == "cpu" else "cuda" for kind, name in _PROVIDERS.items()}
        versions = {"onnxruntime": self._runtime.__version__, "numpy": np.__version__}
        if self._plugin:
            devices[self._provider] = self._opening.device  # of that kind it was asked for
            versions[self._provider] = self._plugin.version
        return {
            "device": devices.get(busiest, busiest),
            "precision": self._precision(),
            "threads": self._session.get_session_options().intra_op_num_threads,
            "version": self._runtime.__version__,
            "versions": versions,
            "details": {
                "providers": self._session.get_providers(),
                "nodes": counts,
                "nodes_elsewhere": stray_nodes.first_named(self._strays()),
                "bound": self._bound,
                **({"integers": self._operators.facts()} if self._operators else {}),
                **({"tf32": _tf32_setting()} if self._kind == "tensorrt" else {}),
                "build": self._runtime.get_build_info() if hasattr(self._runtime, "get_build_info") else "",
            },
        }

    def _strays(self) -> list[stray_nodes.Stray]:
        wanted = {self._provider} | ({_PROVIDERS["cuda"]} if self._kind == "tensorrt" else set())
        return [node for name, nodes in self._nodes.items() if name not in wanted for node in nodes]

    def flags(self) -> list[Flag]:
        """Say how many nodes run elsewhere than asked, of which kinds, and what kept batches out of page-locked memory."""
        if self._plugin:
            return self._plugin.flags(self._nodes)
        total = sum(len(nodes) for nodes in self._nodes.values())
        integers = self._operators.integers.flags(quantised=True) if self._operators else []
        return [
            *integers,
            *stray_nodes.flags(self._strays(), total),
            *(self._pinned.flags() if self._pinned else []),
        ]

    def _precision(self) -> str:
        options = self._session.get_provider_options()
        if self._kind == "tensorrt":
            half = options[_PROVIDERS["tensorrt"]].get("trt_fp16_enable") == "1"
            return "fp16" if half else ("fp32" if _tf32_is_off() else "tf32")
        if self._opening.precision == "fp16" and onnx_half.is_half(self._session):
            return "fp16"
        if self._operators and self._operators.integers.precision:
            return self._operators.integers.precision
        if self._takes_doubles():
            return "fp64"
        return "tf32" if options.get(_PROVIDERS["cuda"], {}).get("use_tf32") == "1" else "fp32"

    def _takes_doubles(self) -> bool:
        """Return whether the file is of float64, by all that it takes and gives: nothing narrows it."""
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        return {value.type for value in values} & _FLOATS == {"tensor(double)"}

    def release(self) -> None:
        """Drop the buffers of other shapes."""
        self._last = None
        self._bindings.clear()
        if self._pinned:
            self._pinned.release()


def _refuse(opening: Opening, kind: str) -> None:
    """Raise Unsupported for what a provider cannot do."""
    known = _PRECISIONS[kind]
    if opening.precision == "tf32" and kind == "cpu":
        raise Unsupported("tf32 exists on NVIDIA GPUs only")
    if opening.precision not in known:
        told = {
            "cpu": "its CPU provider computes half-precision graphs in float32",
            "cuda": "its own conversion tool makes float16 only",
        }.get(kind, "")
        raise Unsupported(
            f"onnxruntime's {_PROVIDERS[kind]} runs this in {', '.join(known)}, not {opening.precision}: {told}"
        )
    if opening.options.get("cudagraph") and kind != "cuda":
        raise Unsupported("CUDA graphs need the CUDA provider")


def _set_tf32(precision: str) -> None:
    """Forbid TF32 to TensorRT, cuBLAS and cuDNN, or leave it to them; they read this once, when they are first used.

    TensorRT allows it by default, and its provider has no switch (microsoft/onnxruntime #6427, #26029).
    """
    os.environ.pop(_OVERRIDE, None)
    if precision == "fp32":
        os.environ[_OVERRIDE] = "0"


def _tf32_is_off() -> bool:
    return os.environ.get(_OVERRIDE) == "0"


def _tf32_setting() -> str:
    state = f"off by {_OVERRIDE}=0 in this process" if _tf32_is_off() else "TensorRT's default: on"
    return f"{state}; not read back, since the provider has no switch"
