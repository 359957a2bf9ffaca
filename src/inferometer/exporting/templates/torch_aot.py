"""PyTorch on the CPU: an exported program compiled ahead of time by AOTInductor."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.program import loaded
from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.pt2"
PRECISION = "float32"
CHANNELS_LAST = False  # images and kernels lie NHWC in memory


class Model:
    """A package of machine code for each batch size, compiled when it is first needed and kept beside this file."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(THREADS)
        self._torch, self._dtype = torch, getattr(torch, PRECISION)
        self._packages: dict[int, Any] = {}

    def _package(self, tensors: list[Any]) -> Any:
        torch, path = self._torch, HERE / f"compiled-{len(tensors[0])}.pt2"
        if not path.exists():
            module = loaded(torch, HERE / ARTIFACT, self._dtype)
            if CHANNELS_LAST:
                module.to(memory_format=torch.channels_last)
            with torch.no_grad():
                program = torch.export.export(module, tuple(tensors))
            torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        return torch._inductor.aoti_load_package(str(path))

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        tensors = map(self._torch.from_numpy, batch)
        given = [each.to(self._dtype) if each.is_floating_point() else each for each in tensors]
        if len(batch[0]) not in self._packages:
            self._packages[len(batch[0])] = self._package(given)
        with self._torch.inference_mode():
            outputs = self._packages[len(batch[0])](*given)
        return [(each.float() if each.is_floating_point() else each).numpy() for each in outputs]


if __name__ == "__main__":
    main(Model)
