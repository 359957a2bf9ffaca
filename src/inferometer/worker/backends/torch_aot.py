"""AOTInductor: an exported program compiled ahead of time into a package of machine code and weights, one a batch size."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from inferometer.worker.backend import Batch, Opening
from inferometer.worker.backends import torch as eager
from inferometer.worker.backends.parts import torch_integers, torch_precision
from inferometer.worker.failures import Unsupported


class Runtime(eager.Runtime):
    """The program as `torch` loads it, each shape compiled by Inductor and run by its loader, without Python or Dynamo.

    Packages lie in the run's own cache, where later processes of the run find them. The threads are part of the code.
    """

    always_compiles = True

    def __init__(self, opening: Opening) -> None:
        if opening.device != "cpu":
            raise Unsupported("AOTInductor is driven on the CPU here")
        super().__init__(opening)
        self._packages: dict[int, Any] = {}

    def prepare(self, batch: Batch) -> None:
        """Compile this shape, unless an earlier process of the run has, and load what was compiled."""
        tensors = [self._host.empty(array) for array in batch]
        self._read_types(tensors)
        path = self._path(tensors)
        if not path.exists():
            self._compile(tensors, path)
        self._packages[len(batch[0])] = self._torch._inductor.aoti_load_package(str(path))
        super().prepare(batch)

    def _path(self, tensors: list[Any]) -> Path:
        """Return where the package for these shapes lies: named by all that goes into its code."""
        opening = self._opening
        shapes = [(tuple(tensor.shape), str(tensor.dtype), tensor.stride()) for tensor in tensors]
        facts = (self._torch.__version__, opening.path, opening.precision, opening.threads, shapes)
        name = hashlib.sha256(repr((*facts, sorted(opening.options.items()))).encode()).hexdigest()[:24]
        return opening.cache / "aot" / f"{name}.pt2"

    def _compile(self, tensors: list[Any], path: Path) -> None:
        torch = self._torch
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        with torch.no_grad():
            program = torch.export.export(self._module, tuple(tensors))
            torch._inductor.aoti_compile_and_package(program, package_path=str(partial))
        partial.rename(path)  # a process that is killed must leave no half of a package

    def _read_types(self, tensors: Any) -> None:
        if self._products is None and not self._told_integers:
            self._products = torch_precision.traced_in(
                lambda fakes: self._under_modes(self._module, fakes), tensors
            )

    def _read_integers(self, tensors: Any) -> None:
        if self._told_integers:
            self._products = torch_integers.called(self._path(tensors))

    def _infer(self, tensors: Any) -> Any:
        return self._under_modes(self._packages[len(tensors[0])], tensors)

    def actual(self) -> dict[str, Any]:
        """Read back what `torch` does, and for which processor the code of the packages was compiled."""
        facts = super().actual()
        package = next(reversed(self._packages.values()))
        return {**facts, "details": {**facts["details"], "compiled_for": dict(package.get_metadata())}}

    def release(self) -> None:
        """Unload the packages of other shapes too."""
        super().release()
        self._packages.clear()
