"""ExecuTorch on the CPU: an exported program lowered to XNNPACK."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.program import loaded
from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.pt2"


class Model:
    """A program for each batch size, lowered when it is first needed and kept beside this file."""

    def __init__(self) -> None:
        import torch
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        torch.set_num_threads(THREADS)
        portable_lib._unsafe_reset_threadpool(THREADS)
        self._torch, self._runtime = torch, Runtime.get()
        self._methods: dict[int, Any] = {}

    def _method(self, tensors: list[Any]) -> Any:
        torch, path = self._torch, HERE / f"lowered-{len(tensors[0])}.pte"
        if not path.exists():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            module = loaded(torch, HERE / ARTIFACT, torch.float32)
            with torch.no_grad():
                program = torch.export.export(module, tuple(tensors))
            edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
            path.write_bytes(bytes(edge.to_executorch().buffer))
        return self._runtime.load_program(path).load_method("forward")

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        tensors = [self._torch.from_numpy(array) for array in batch]
        if len(batch[0]) not in self._methods:
            self._methods[len(batch[0])] = self._method(tensors)
        return [each.numpy() for each in self._methods[len(batch[0])].execute(tensors)]


if __name__ == "__main__":
    main(Model)
