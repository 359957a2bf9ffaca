"""MNN: an ONNX file converted by MNN's own converter, run as a module on the CPU."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.failures import Unsupported

# the module behind the command `mnnconvert`: MNN.tools, its wrapper, installs a logger by pip when it is imported, and
# reports the conversion to MNN's makers
_CONVERTER = "import sys, _tools; sys.exit(0 if _tools.mnnconvert(sys.argv) else 1)"
_UNKNOWN = re.compile(r"These Op Not Support:\s*([^\n]+)")


class Runtime(Backend):
    """One module a shape, so that no timed call resizes; precision "high", since "low" may compute in half precision."""

    def __init__(self, opening: Opening) -> None:
        import MNN
        from MNN import expr, nn

        if opening.device != "cpu":
            raise Unsupported("MNN's wheels compute on the CPU only")
        if opening.precision != "fp32":
            raise Unsupported(f"MNN is driven in fp32 here, not {opening.precision}")
        self._opening = opening
        self._expr, self._nn, self._version = expr, nn, MNN.version()
        self._file = _convert(opening, self._version)
        self._modules: dict[int, Any] = {}
        self._inputs: dict[int, list[Any]] = {}
        self._last: Outputs = []
        self._load()  # what it cannot load is said before any cell

    def _load(self) -> Any:
        opening = self._opening
        settings = {"backend": "CPU", "precision": "high", "numThread": opening.threads}
        manager = self._nn.create_runtime_manager((settings,))
        names = list(opening.input_names), list(opening.output_names)
        try:
            return self._nn.load_module_from_file(str(self._file), *names, runtime_manager=manager)
        except RuntimeError as error:
            raise Unsupported(f"MNN cannot load what its converter made: {error}") from error

    def prepare(self, batch: Batch) -> None:
        """Give this shape a module and inputs of its own; the first run allocates and packs weights."""
        size = len(batch[0])
        self._modules[size] = self._load()
        self._inputs[size] = self.place(batch)
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, compute, copy out: the outputs' memory is the module's."""
        inputs = self._inputs[len(batch[0])]
        for variable, array in zip(inputs, batch):
            variable.write(_narrowed(array))
        self._last = self.fetch(self.run_resident(inputs))
        return self._last

    def place(self, batch: Batch) -> list[Any]:
        """Return the batch as MNN's variables."""
        expr = self._expr
        placed = []
        for array in map(_narrowed, batch):
            kind = {"f": expr.float, "i": expr.int, "u": expr.uint8}[array.dtype.kind]
            placed.append(expr.placeholder(list(array.shape), expr.NCHW, kind))
            placed[-1].write(array)
        return placed

    def run_resident(self, placed: Any) -> Any:
        """Compute; outputs are asked for their values' address, since a variable may be computed when it is read."""
        outputs = self._modules[placed[0].shape[0]].onForward(placed)
        if len(outputs) != len(self._opening.output_names):
            raise RuntimeError("MNN returned no outputs: it cannot compute this model at this shape")
        plain = [self._plain(variable) for variable in outputs]
        for variable in plain:
            variable.read()
        return plain

    def _plain(self, variable: Any) -> Any:
        """Return an output in NCHW, not in blocks of channels."""
        expr = self._expr
        return expr.convert(variable, expr.NCHW) if variable.data_format == expr.NC4HW4 else variable

    def fetch(self, resident: Any) -> Outputs:
        """Copy the outputs to numpy."""
        return [np.array(variable.read()) for variable in resident]

    def actual(self) -> dict[str, Any]:
        """Read back the outputs' type; threads and precision as given, since a module does not tell them."""
        kinds = {array.dtype for array in self._last}
        return {
            "device": "cpu",
            "precision": "fp16" if np.dtype(np.float16) in kinds else "fp32",
            "threads": self._opening.threads,
            "version": self._version,
            "versions": {"mnn": self._version, "numpy": np.__version__},
            "details": {"precision_mode": "high"},
        }

    def release(self) -> None:
        """Drop the modules of other shapes."""
        self._modules.clear()
        self._inputs.clear()


def _convert(opening: Opening, version: str) -> Path:
    """Return the model as MNN's file, converted in a process of its own: a failed conversion may end it."""
    name = hashlib.sha256(f"{version} {opening.path}".encode()).hexdigest()[:24]
    target = opening.cache / f"{name}.mnn"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"partial-{target.name}")
    options = ["--framework", "ONNX", "--modelFile", str(opening.path.absolute()), "--MNNModel", partial.name]
    done = subprocess.run(
        [sys.executable, "-c", _CONVERTER, *options, "--bizCode", "inferometer", "--keepInputFormat=1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        check=False, env={**os.environ, "OMP_NUM_THREADS": str(opening.threads)}, cwd=partial.parent,  # where it leaves files
    )  # fmt: skip
    if done.returncode or not partial.exists():
        raise Unsupported(_refusal(done.stdout, done.returncode))
    partial.rename(target)
    return target


def _refusal(told: str, code: int) -> str:
    """Return why a conversion failed, in one line: the operators that the converter lacks, or the last that it said."""
    if unknown := _UNKNOWN.search(told):
        return f"MNN's converter does not know {' '.join(unknown[1].split())}"
    last = next(
        (line.strip() for line in reversed(told.splitlines()) if line.strip()), f"it ended with {code}"
    )
    died = f"it died of {signal.Signals(-code).name} after: " if code < 0 else ""
    return f"MNN's converter cannot convert this file: {died}{last[:300]}"


def _narrowed(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array in a type that MNN has: it keeps whole numbers in 32 bits, as its converter does the model's."""
    if array.dtype.kind == "b" or (array.dtype.kind in "iu" and array.dtype != np.uint8):
        return array.astype(np.int32)
    return array
