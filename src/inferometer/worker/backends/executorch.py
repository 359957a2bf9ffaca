"""ExecuTorch: an exported program lowered to XNNPACK and run by ExecuTorch's own runtime on the CPU."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import executorch_build, torch_transfer
from inferometer.worker.backends.parts.integers import Integers
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag, flag


class Runtime(Backend):
    """One program a shape, as ExecuTorch plans memory for fixed shapes; lowered once a run, in the run's own cache."""

    def __init__(self, opening: Opening) -> None:
        if opening.device != "cpu":
            raise Unsupported("ExecuTorch's wheels compute on the CPU only")
        if opening.precision not in ("fp32", "int8"):
            raise Unsupported(
                f"ExecuTorch runs the program as it is, in fp32 or int8, not {opening.precision}"
            )
        import torch
        from executorch import version
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime as Executor

        self._torch, self._library, self._opening = torch, portable_lib, opening
        self._executor = Executor.get()
        self._version = version.__version__.partition("+")[0]
        torch.set_num_threads(opening.threads)
        portable_lib._unsafe_reset_threadpool(opening.threads)
        self._module = executorch_build.read(
            torch, opening.path, quantised=opening.precision == "int8"
        )  # what it cannot read is said before any cell
        self._methods: dict[int, Any] = {}
        self._built = executorch_build.Built(Path(), {}, {}, {})
        self._last: Any = ()

    def prepare(self, batch: Batch) -> None:
        """Lower the program for this shape, unless an earlier process of the run has, and load it; the first run packs weights."""
        placed = self.place(batch)
        self._built = executorch_build.build(self._torch, self._module, placed, self._path(placed))
        try:
            method = self._executor.load_program(self._built.path).load_method("forward")
        except RuntimeError as error:
            raise Unsupported(f"ExecuTorch cannot load what it lowered: {error}") from error
        self._methods[len(batch[0])] = method
        self.run(batch)

    def _path(self, tensors: list[Any]) -> Path:
        shapes = [(tuple(tensor.shape), str(tensor.dtype)) for tensor in tensors]
        facts = repr((self._version, self._torch.__version__, str(self._opening.path), shapes))
        return self._opening.cache / f"{hashlib.sha256(facts.encode()).hexdigest()[:24]}.pte"

    def run(self, batch: Batch) -> Outputs:
        """Share the batch's memory, run; outputs are the call's own."""
        return self.fetch(self.run_resident(self.place(batch)))

    def place(self, batch: Batch) -> list[Any]:
        """Return the batch as tensors that share its memory."""
        return [self._torch.from_numpy(array) for array in batch]

    def run_resident(self, placed: Any) -> Any:
        """Run; outputs are tensors of the call's own."""
        self._last = self._methods[len(placed[0])].execute(placed)
        return self._last

    def fetch(self, resident: Any) -> Outputs:
        """Return the outputs as numpy."""
        return torch_transfer.to_numpy(resident)

    def actual(self) -> dict[str, Any]:
        """Read back the outputs' place and type, the thread pool's size, what was handed to XNNPACK, and in which types."""
        first = next((output for output in self._last if output.is_floating_point()), self._last[0])
        half = {self._torch.float16: "fp16", self._torch.bfloat16: "bf16"}
        versions = {"executorch": self._version, "torch": self._torch.__version__, "numpy": np.__version__}
        return {
            "device": str(first.device),
            "precision": "int8" if self._integers.prevail else half.get(first.dtype, "fp32"),
            "threads": self._library._threadpool_get_thread_count(),
            "version": self._version,
            "versions": versions,
            "details": {
                "nodes_in_xnnpack": self._built.delegated,
                "nodes_elsewhere": self._built.others,
                "operators": self._built.types,
            },
        }

    @property
    def _integers(self) -> Integers:
        return Integers(Counter(self._built.types))

    def flags(self) -> list[Flag]:
        """Say what was left in floats, and what XNNPACK was not given: ExecuTorch's own kernels are not made for speed."""
        others, left = self._built.others, self._integers.flags(self._opening.quantised)
        count = sum(others.values())
        if not count:
            return left
        total = count + sum(self._built.delegated.values())
        kinds = ", ".join(sorted(others, key=lambda kind: -others[kind])[:5])
        return [*left, flag("not-in-xnnpack", count=count, total=total, kinds=kinds)]

    def release(self) -> None:
        """Drop the programs of other shapes."""
        self._last = ()
        self._methods.clear()
