"""PyTorch: an exported program, run eagerly or compiled by Inductor."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.failures import Unsupported


class Runtime(Backend):
    """The module of an exported program under `inference_mode`, with TF32 and reduced-precision sums set explicitly."""

    def __init__(self, opening: Opening) -> None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(opening.cache / "inductor"))
        import torch

        self._torch = torch
        self._opening = opening
        self._dtype = _dtype(torch, opening)
        self._device = torch.device("cuda", 0) if opening.device == "cuda" else torch.device("cpu")
        if opening.device == "cuda" and not torch.cuda.is_available():
            raise Unsupported(
                f"torch {torch.__version__} sees no CUDA device (built for CUDA {torch.version.cuda})"
            )
        torch.set_num_threads(opening.threads)
        _set_precision(torch, opening)
        module = torch.export.load(opening.path).module()
        self._module = (
            module.to(self._device, self._dtype) if self._dtype != torch.float32 else module.to(self._device)
        )
        self._call = self._module
        if opening.options.get("compile"):
            # one graph a batch size: a dynamic batch costs Inductor speed, and every size is prepared beforehand
            torch._dynamo.config.recompile_limit = 64
            self._call = torch.compile(self._module, dynamic=False, mode=opening.options.get("mode"))
        self._last: Any = None

    def prepare(self, batch: Batch) -> None:
        """Run once: compiles where asked to, and allocates."""
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self.fetch(self.run_resident(self.place(batch)))

    def place(self, batch: Batch) -> Any:
        """Return the batch as tensors on the device in the precision asked for."""
        return [self._tensor(array) for array in batch]

    def _tensor(self, array: np.ndarray[Any, Any]) -> Any:
        tensor = self._torch.from_numpy(array).to(self._device)
        return tensor.to(self._dtype) if tensor.is_floating_point() else tensor

    def run_resident(self, placed: Any) -> Any:
        """Return output tensors on the device."""
        with self._torch.inference_mode():
            self._last = self._call(*placed)
        return self._last

    def synchronise(self) -> None:
        """Wait for the device."""
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy; half precisions become float32."""
        tensors = resident if isinstance(resident, (list, tuple)) else [resident]
        return [(t.float() if t.is_floating_point() else t).cpu().numpy() for t in tensors]

    def actual(self) -> dict[str, Any]:
        """Read back device and type of the output, precision flags and threads."""
        torch = self._torch
        tensor = self._last[0] if isinstance(self._last, (list, tuple)) else self._last
        return {
            "device": str(tensor.device),
            "precision": _read_precision(torch, tensor),
            "threads": torch.get_num_threads(),
            "version": torch.__version__,
            "versions": {
                "torch": torch.__version__,
                "numpy": np.__version__,
                "cuda": torch.version.cuda or "",
            },
            "details": {"cudnn": torch.backends.cudnn.version() if self._device.type == "cuda" else None},
        }

    def device_peak_bytes(self) -> int | None:
        """Return the caching allocator's peak."""
        return int(self._torch.cuda.max_memory_allocated()) if self._device.type == "cuda" else None


def _dtype(torch: Any, opening: Opening) -> Any:
    types = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if opening.precision not in types:
        raise Unsupported(f"torch runs the exported program in {', '.join(types)}, not {opening.precision}")
    if opening.precision == "tf32" and opening.device == "cpu":
        raise Unsupported("tf32 exists on NVIDIA GPUs only")
    return types[opening.precision]


def _set_precision(torch: Any, opening: Opening) -> None:
    tf32 = opening.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False


def _read_precision(torch: Any, tensor: Any) -> str:
    names = {torch.float16: "fp16", torch.bfloat16: "bf16"}
    if tensor.dtype in names:
        return names[tensor.dtype]
    on_gpu = tensor.device.type == "cuda"
    return (
        "tf32"
        if on_gpu and (torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
        else "fp32"
    )
