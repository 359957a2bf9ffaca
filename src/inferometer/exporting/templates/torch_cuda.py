"""PyTorch on an NVIDIA GPU: an exported program, run eagerly, compiled by Inductor, or captured as a CUDA graph."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.program import loaded
from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.pt2"
PRECISION = "float32"
TF32 = False
COMPILE = False
MODE = ""  # of torch.compile
GRAPH = False  # eager calls of each batch size are captured as a CUDA graph
CHANNELS_LAST = False  # kernels lie NHWC in memory; give images that do, too
AUTOCAST = False  # weights stay float32, operations are in PRECISION where torch says
COPIED = False  # a new tensor of every batch, nothing page-locked


class Model:
    """The program under inference_mode; inputs and outputs pass through page-locked memory, made for each batch size."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(THREADS)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = TF32
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.backends.cudnn.benchmark = not COPIED  # kernels are tried when a shape first comes
        self._torch, self._dtype = torch, getattr(torch, PRECISION)
        module = loaded(torch, HERE / ARTIFACT, torch.float32 if AUTOCAST else self._dtype)
        if CHANNELS_LAST:
            module.to(memory_format=torch.channels_last)
        torch._dynamo.config.recompile_limit = 64
        call = torch.compile(module, dynamic=False, mode=MODE or None) if COMPILE else module
        self._call = torch.autocast("cuda", self._dtype)(call) if AUTOCAST else call
        self._inputs, self._outputs, self._graphs = dict[int, Any](), dict[int, Any](), dict[int, Any]()

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        with self._torch.inference_mode():
            given = self._send(batch)
            outputs = self._replay(given) if GRAPH else self._infer(given)
            wide = [each.float() if each.is_floating_point() else each for each in outputs]
            return [each.cpu().numpy() for each in wide] if COPIED else self._receive(wide)

    def _send(self, batch: tuple[Any, ...]) -> list[Any]:
        torch, size = self._torch, len(batch[0])
        types = [self._dtype if array.dtype.kind == "f" else None for array in batch]
        if COPIED:
            moved = [torch.tensor(array).to("cuda") for array in batch]
            return [each.to(kind or each.dtype) for each, kind in zip(moved, types)]
        sources = [torch.from_numpy(array) for array in batch]
        if size not in self._inputs:
            self._inputs[size] = [
                self._locked(each, kind or each.dtype) for each, kind in zip(sources, types)
            ]
        for buffer, source in zip(self._inputs[size], sources):
            buffer.copy_(source)
        return [buffer.to("cuda", non_blocking=True) for buffer in self._inputs[size]]

    def _infer(self, given: list[Any]) -> Any:
        if MODE in ("reduce-overhead", "max-autotune"):
            self._torch.compiler.cudagraph_mark_step_begin()
        return self._call(*given)

    def _replay(self, given: list[Any]) -> Any:
        size = len(given[0])
        if size not in self._graphs:
            self._graphs[size] = self._captured([each.clone() for each in given])
        graph, inputs, outputs = self._graphs[size]
        for own, each in zip(inputs, given):
            own.copy_(each)
        graph.replay()
        return outputs

    def _captured(self, inputs: list[Any]) -> Any:
        """Return a graph of one call, what it reads and what it writes; kernels are chosen before."""
        torch, stream, graph = self._torch, self._torch.cuda.Stream(), self._torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._infer(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            outputs = self._infer(inputs)
        return graph, inputs, outputs

    def _receive(self, tensors: list[Any]) -> list[Any]:
        size = len(tensors[0])
        if size not in self._outputs:
            self._outputs[size] = [self._locked(each, each.dtype) for each in tensors]
        for buffer, tensor in zip(self._outputs[size], tensors):
            buffer.copy_(tensor, non_blocking=True)
        self._torch.cuda.current_stream().synchronize()
        return [buffer.numpy().copy() for buffer in self._outputs[size]]

    def _locked(self, like: Any, dtype: Any) -> Any:
        torch = self._torch
        layout = torch.contiguous_format if like.is_contiguous() else torch.channels_last
        return torch.empty(like.shape, dtype=dtype, pin_memory=True, memory_format=layout)


if __name__ == "__main__":
    main(Model)
