"""PyTorch: an exported program, run eagerly, compiled by Inductor, or captured as a CUDA graph."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Opening, Outputs, Pipeline
from inferometer.worker.backends.parts import (
    torch_integers,
    torch_precision,
    torch_program,
    torch_transfer,
)
from inferometer.worker.backends.parts.integers import Integers
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag, flag


class Runtime(Backend):
    """The program under `inference_mode`, with TF32 and reduced-precision sums set explicitly.

    Options: `compile`; with it `max_autotune` and `cudagraphs`; without it `cudagraph` captures the eager calls.
    `channels_last` keeps images and kernels NHWC in memory. `autocast` leaves the weights in float32 and lets torch
    choose the operations of lower precision. `naive` copies as the study did: `torch.tensor(batch).to(device)` and
    `.cpu().numpy()`, nothing pinned, and cuDNN's own choice of kernels.
    """

    always_compiles = False

    def __init__(self, opening: Opening) -> None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(opening.cache / "inductor"))
        import torch

        self._torch = torch
        self._opening = opening
        self._options = opening.options
        _refuse(torch, opening)
        self._dtype = getattr(torch, TYPES[opening.precision])
        self._device = torch.device("cuda", 0) if opening.device == "cuda" else torch.device("cpu")
        torch.set_num_threads(opening.threads)
        _set_precision(torch, opening)
        self._told_integers = opening.quantised and opening.device == "cpu"
        if self._told_integers and (self.always_compiles or opening.options.get("compile")):
            torch_integers.enable(torch)
        weights = torch.float32 if self._options.get("autocast") else self._dtype
        if opening.quantised:
            importlib.import_module("torch.ao.quantization.fx._decomposed")  # registers its operators
        program = torch.export.load(opening.path)
        self._module = torch_program.module_of(torch, program, self._device, weights)
        if self._options.get("channels_last"):
            self.memory_layout = "NHWC"
            self._module.to(memory_format=torch.channels_last)
        self._call = self._compiled(self._module)
        self._host = self._host_path()
        self._graphs: dict[int, torch_transfer.Graph] = {}
        self._last: Any = None
        self._products: dict[str, int] | None = None  # by the type that they give, at int8 that they ran in

    def _compiled(self, function: Any) -> Any:
        if not self._options.get("compile"):
            return function
        torch = self._torch
        # one graph a batch size: a dynamic batch costs Inductor speed, and every size is prepared beforehand
        torch._dynamo.config.recompile_limit = 64
        return torch.compile(function, dynamic=False, mode=inductor_mode(self._options))

    def _host_path(self) -> torch_transfer.HostPath:
        if self._device.type == "cpu" and not self._options.get("naive"):
            return torch_transfer.ZeroCopy(self._torch, self._dtype)
        if self._options.get("naive"):
            return torch_transfer.Naive(self._torch, self._device, self._dtype)
        return torch_transfer.Pinned(self._torch, self._device, self._dtype)

    def prepare(self, batch: Batch) -> None:
        """Compile or capture for this shape, device first: what does not fit must fail before host memory is pinned."""
        empty = [self._host.empty(array) for array in batch]
        self._read_types(empty)
        if self._options.get("cudagraph"):
            self._graphs[len(batch[0])] = torch_transfer.Graph(self._torch, self._infer, empty)
        self.run_resident(empty)
        self.synchronise()
        self._read_integers(empty)
        del empty
        if self._opening.mode == "host":
            self.run(batch)

    def _read_types(self, tensors: Any) -> None:
        """Read what the program computes in, once: from a batch run eagerly, or as the compiler traces it."""
        if self._products is not None or self._told_integers:
            return
        if self._options.get("compile"):
            self._products = torch_precision.traced_in(
                lambda fakes: self._under_modes(self._module, fakes), tensors
            )
        else:
            self._products = torch_precision.computed_in(lambda: self._under_modes(self._call, tensors))

    def _read_integers(self, tensors: Any) -> None:
        """Read which kernels a quantised program runs, once it is compiled."""
        if self._told_integers:
            self._products = torch_integers.ran(self._torch, lambda: self._infer(tensors))

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self._host.receive(self.run_resident(self._host.send(batch)))

    def place(self, batch: Batch) -> Any:
        """Return the batch as tensors on the device, in the type that the model computes in."""
        return [self._host.place(array) for array in batch]

    def run_resident(self, placed: Any) -> Any:
        """Return output tensors on the device."""
        graph = self._graphs.get(len(placed[0]))
        self._last = graph.replay(placed) if graph else self._infer(placed)
        return self._last

    def _infer(self, tensors: Any) -> Any:
        torch = self._torch
        if self._options.get("cudagraphs"):
            self._last = None  # outputs of the step before share the graph's memory
            torch.compiler.cudagraph_mark_step_begin()
        return self._under_modes(self._call, tensors)

    def _under_modes(self, call: Any, tensors: Any) -> Any:
        with self._torch.inference_mode():
            if self._options.get("autocast"):
                with self._torch.autocast(self._device.type, self._dtype):
                    return call(*tensors)
            return call(*tensors)

    def synchronise(self) -> None:
        """Wait for the device."""
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy; half precisions become float32."""
        return torch_transfer.to_numpy(resident)

    def pipeline(self, batch: Batch) -> Pipeline:
        """Return a pipeline over pinned buffers; the cast from uint8 is compiled into the model where there is a compiler."""
        if self._device.type != "cuda":
            raise Unsupported(
                "torch has a pipeline on NVIDIA GPUs only: on the CPU there is nothing to overlap"
            )
        from inferometer.worker.backends.parts.torch_pipeline import PinnedPipeline

        self._read_types([self._host.empty(array).to(self._dtype) for array in batch])
        return PinnedPipeline(self._torch, self._device, self._pixel_function(), batch, self._opening.threads)

    def _pixel_function(self) -> Callable[[list[Any]], Any]:
        dtype, module = self._dtype, self._module
        call = self._compiled(lambda *pixels: module(*(tensor.to(dtype) for tensor in pixels)))

        def infer(tensors: list[Any]) -> Any:
            self._last = self._under_modes(call, tensors)
            return self._last

        return infer

    def phases(self, batch: Batch) -> dict[str, float]:
        """Return phases by CUDA events, or by host timers on the CPU."""
        send = self._host.send if self._opening.mode == "host" else self.place
        if self._device.type == "cpu":
            return phases.timed(lambda: send(batch), self.run_resident, self.synchronise, self._host.receive)
        return torch_transfer.event_phases(
            self._torch,
            lambda: send(batch),
            self.run_resident,
            self.fetch if send == self.place else self._host.receive,
        )

    def actual(self) -> dict[str, Any]:
        """Read back device and type of outputs and weights, what products gave, precision flags and threads."""
        torch = self._torch
        output = self._last[0]
        places = Counter(str(tensor.device) for tensor in self._module.buffers())
        cuda = self._device.type == "cuda"
        return {
            "device": str(output.device),
            "precision": self._precision(_short(output.dtype), cuda and _lowered(torch)),
            "threads": torch.get_num_threads(),
            "version": torch.__version__,
            "versions": {
                "torch": torch.__version__,
                "numpy": np.__version__,
                "cuda": torch.version.cuda or "",
            },
            "details": {
                "weights_on": dict(places),
                "weight_types": dict(Counter(_short(t.dtype) for t in self._module.buffers())),
                "output_type": _short(output.dtype),
                "operators" if self._told_integers else "products_give": self._products,
                "cudnn": torch.backends.cudnn.version() if cuda else None,
                "cudnn_benchmark": torch.backends.cudnn.benchmark if cuda else None,
            },
        }

    def _precision(self, output_type: str, tf32: bool) -> str:
        found = self._products or {}
        if self._told_integers:
            return "int8" if Integers(Counter(found)).prevail else "fp32"
        return torch_precision.precision_of(found, output_type, tf32)

    def flags(self) -> list[Flag]:
        """Say which weights lie elsewhere than on the device, and which products differ in type from most."""
        away = [str(t.device) for t in self._module.buffers() if t.device.type != self._device.type]
        told = (
            [flag("weights-elsewhere", count=len(away), device=away[0], wanted=str(self._device))]
            if away
            else []
        )
        found = self._products or {}
        told += Integers(Counter(found)).flags(self._opening.quantised)  # on a GPU all of them run in float
        return told if self._told_integers else [*told, *torch_precision.flags(found)]

    def device_peak_bytes(self) -> int | None:
        """Return the caching allocator's peak."""
        return int(self._torch.cuda.max_memory_allocated()) if self._device.type == "cuda" else None

    def reset_device_peak(self) -> None:
        """Begin a new peak."""
        if self._device.type == "cuda":
            self._torch.cuda.reset_peak_memory_stats()

    def release(self) -> None:
        """Drop captured graphs, staging buffers and cached blocks."""
        self._last = None
        self._graphs.clear()
        self._host.release()
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()


TYPES = {"fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "float32"}


def inductor_mode(options: Mapping[str, Any]) -> str | None:
    """Return the mode of `torch.compile` that a row's options ask for; None for its default."""
    tuned, graphs = bool(options.get("max_autotune")), bool(options.get("cudagraphs"))
    if tuned:
        return "max-autotune" if graphs else "max-autotune-no-cudagraphs"
    return "reduce-overhead" if graphs else None


def _refuse(torch: Any, opening: Opening) -> None:
    """Raise Unsupported for what this build, device or precision cannot do."""
    if opening.precision not in TYPES:
        raise Unsupported(f"torch runs the exported program in {', '.join(TYPES)}, not {opening.precision}")
    if opening.precision == "int8" and opening.device != "cpu":
        raise Unsupported("Inductor's kernels for int8 are for x86 processors")
    if opening.precision == "tf32" and opening.device == "cpu":
        raise Unsupported("tf32 exists on NVIDIA GPUs only")
    if opening.device == "cuda" and not torch.cuda.is_available():
        raise Unsupported(
            f"torch {torch.__version__} sees no CUDA device (built for CUDA {torch.version.cuda})"
        )
    if opening.options.get("autocast") and opening.precision not in ("fp16", "bf16"):
        raise Unsupported(f"autocast lowers the precision to fp16 or bf16; {opening.precision} needs none")
    if opening.device == "cpu" and (opening.options.get("cudagraph") or opening.options.get("cudagraphs")):
        raise Unsupported("CUDA graphs need an NVIDIA GPU")
    if (
        opening.precision == "bf16"
        and opening.device == "cuda"
        and torch.cuda.get_device_capability() < (8, 0)
    ):
        raise Unsupported("this GPU has no bf16 arithmetic (compute capability below 8.0)")


def _set_precision(torch: Any, opening: Opening) -> None:
    tf32 = opening.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.benchmark = not opening.options.get(
        "naive"
    )  # each shape's first run tries the kernels


def _lowered(torch: Any) -> bool:
    return bool(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)


def _short(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
