"""Torch-TensorRT: an exported program whose parts TensorRT compiles, called from PyTorch.

Never run here: the package registry has no TensorRT libraries.
"""

from __future__ import annotations

from typing import Any

from inferometer.worker.backend import Batch, Opening
from inferometer.worker.backends import torch as eager
from inferometer.worker.backends.parts import torch_precision
from inferometer.worker.failures import Unsupported


class Runtime(eager.Runtime):
    """The program as `torch` loads it, each shape compiled by `torch_tensorrt.dynamo`; types are those of the program."""

    def __init__(self, opening: Opening) -> None:
        if opening.device != "cuda":
            raise Unsupported("Torch-TensorRT needs an NVIDIA GPU")
        super().__init__(opening)
        import torch_tensorrt

        self._tensorrt = torch_tensorrt
        self._compiled_shapes: dict[int, Any] = {}

    def prepare(self, batch: Batch) -> None:
        """Export and compile this shape."""
        torch = self._torch
        tensors = [self._host.empty(array) for array in batch]
        self._products = torch_precision.traced_in(
            lambda fakes: self._under_modes(self._module, fakes), tensors
        )
        with torch.no_grad():
            program = torch.export.export(self._module, tuple(tensors))
        self._compiled_shapes[len(batch[0])] = self._tensorrt.dynamo.compile(
            program,
            arg_inputs=tensors,
            device=self._device,
            disable_tf32=self._opening.precision != "tf32",
            pass_through_build_failures=True,
        )
        super().prepare(batch)

    def _infer(self, tensors: Any) -> Any:
        return self._under_modes(self._compiled_shapes[len(tensors[0])], tensors)

    def actual(self) -> dict[str, Any]:
        """Read back what `torch` does, and how many parts of the program are engines and how many are PyTorch's."""
        facts = super().actual()
        parts = [name for name, _ in next(reversed(self._compiled_shapes.values())).named_children()]
        engines = sum("_run_on_acc" in name for name in parts)
        version = self._tensorrt.__version__
        details = {"engines": engines, "parts_in_torch": len(parts) - engines}
        return {
            **facts,
            "version": version,
            "versions": {**facts["versions"], "torch-tensorrt": version},
            "details": {**facts["details"], **details},
        }

    def release(self) -> None:
        """Drop the engines of other shapes too."""
        super().release()
        self._compiled_shapes.clear()
