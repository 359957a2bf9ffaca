"""PyTorch on the CPU: an exported program, run eagerly or compiled by Inductor."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.program import loaded
from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.pt2"
PRECISION = "float32"
COMPILE = False
MODE = ""  # of torch.compile
CHANNELS_LAST = False  # kernels lie NHWC in memory; give images that do, too
AUTOCAST = False  # weights stay float32, operations are in PRECISION where torch says
COPIED = False  # a new tensor of every batch


class Model:
    """The program under inference_mode; Inductor compiles each batch size."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(THREADS)
        self._torch, self._dtype = torch, getattr(torch, PRECISION)
        weights = torch.float32 if AUTOCAST else self._dtype
        self._module = loaded(torch, HERE / ARTIFACT, weights)
        if CHANNELS_LAST:
            self._module.to(memory_format=torch.channels_last)
        torch._dynamo.config.recompile_limit = 64
        call = torch.compile(self._module, dynamic=False, mode=MODE or None) if COMPILE else self._module
        self._call = torch.autocast("cpu", self._dtype)(call) if AUTOCAST else call

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        torch = self._torch
        tensors = map(torch.tensor if COPIED else torch.from_numpy, batch)
        given = [each.to(self._dtype) if each.is_floating_point() else each for each in tensors]
        with torch.inference_mode():
            outputs = self._call(*given)
        return [(each.float() if each.is_floating_point() else each).numpy() for each in outputs]


if __name__ == "__main__":
    main(Model)
