"""ncnn: an ONNX file converted by pnnx, ncnn's own converter, run on the CPU in float32."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import onnx_whole
from inferometer.worker.failures import Unsupported

_LOWER = (
    "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage",
    "use_int8_inference", "use_vulkan_compute",
)  # fmt: skip
_TYPES = {"float32": "f32", "int32": "i32", "int64": "i64"}
_LAYER = re.compile(r"^([\w.:]+)\s+\S+\s+\d+\s+\d+\b", re.M)  # kind, name, how many inputs and outputs


class Runtime(Backend):
    """One net for every batch size: a batch is one of ncnn's matrices with a batch axis (since July 2026)."""

    def __init__(self, opening: Opening) -> None:
        import ncnn

        if opening.device != "cpu":
            raise Unsupported("ncnn is driven on the CPU here")
        if opening.precision != "fp32":
            raise Unsupported(f"ncnn is driven in fp32 here, not {opening.precision}")
        self._ncnn, self._opening = ncnn, opening
        self._version = metadata.version("ncnn")
        self._net: Any = None

    def prepare(self, batch: Batch) -> None:
        """Convert the file at the first shape, whose rows tell pnnx the axes that are free; run once, which packs weights."""
        if self._net is None:
            self._net = self._load(_convert(self._opening, batch))
        self.run(batch)

    def _load(self, file: Path) -> Any:
        net = self._ncnn.Net()
        for setting in _LOWER:
            setattr(net.opt, setting, False)
        net.opt.num_threads = self._opening.threads
        if net.load_param(str(file)):
            raise Unsupported(
                f"ncnn has no layer for {', '.join(self._missing(file)) or 'one of this model'}"
            )
        if net.load_model(str(file.with_suffix(".bin"))):
            raise Unsupported("ncnn cannot load the weights that its converter wrote")
        return net

    def _missing(self, file: Path) -> list[str]:
        """Return the kinds of layer in a description that ncnn cannot make."""
        kinds = dict.fromkeys(_LAYER.findall(file.read_text()))
        return [kind for kind in kinds if self._ncnn.create_layer(kind) is None]

    def run(self, batch: Batch) -> Outputs:
        """Share the batch's memory, compute, copy out: the outputs' memory is ncnn's."""
        return self.fetch(self.run_resident(self.place(batch)))

    def place(self, batch: Batch) -> Any:
        """Return the batch as matrices that share its memory."""
        arrays = [_narrowed(array) for array in batch]
        return arrays, [self._ncnn.Mat(array, batch_index=0) for array in arrays]

    def run_resident(self, placed: Any) -> Any:
        """Compute every output, as matrices."""
        _, matrices = placed  # the arrays own the memory
        extractor = self._net.create_extractor()
        for index, matrix in enumerate(matrices):
            extractor.input(
                f"in{index}", matrix
            )  # pnnx's names, in the file's order; ncnn lists them in its own
        answers = [extractor.extract(f"out{index}") for index in range(len(self._opening.output_names))]
        if any(code for code, _ in answers):
            raise Unsupported("ncnn cannot compute this model at this shape (its log says why)")
        return [matrix for _, matrix in answers]

    def fetch(self, resident: Any) -> Outputs:
        """Copy the outputs to numpy."""
        return [np.array(matrix.numpy(batch_index=0)) for matrix in resident]

    def actual(self) -> dict[str, Any]:
        """Read back threads and precision from the net's settings."""
        option = self._net.opt
        lowered = [setting for setting in _LOWER if getattr(option, setting)]
        return {
            "device": "cuda" if option.use_vulkan_compute else "cpu",
            "precision": ", ".join(lowered) or "fp32",
            "threads": option.num_threads,
            "version": self._version,
            "versions": {"ncnn": self._version, "pnnx": metadata.version("pnnx"), "numpy": np.__version__},
        }


def _convert(opening: Opening, batch: Batch) -> Path:
    """Return ncnn's description of the model, its weights beside it; Unsupported with pnnx's own words."""
    facts = f"{metadata.version('pnnx')} {opening.path}"
    folder = opening.cache / hashlib.sha256(facts.encode()).hexdigest()[:24]
    target = folder / "model.ncnn.param"
    if (folder / "whole").exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"  # pnnx writes beside what it reads, and reads no weights from other files
    model.unlink(missing_ok=True)  # a link to the cache, as it was before
    model.write_bytes(onnx_whole.whole(opening.path))
    shapes = ",".join(_shape(array) for array in batch)
    done = subprocess.run(
        [_pnnx(), model.name, f"inputshape={shapes}", "fp16=0"], cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode or not target.exists():
        raise Unsupported(_refusal(done.stdout, done.returncode))
    (folder / "whole").touch()
    return target


def _refusal(told: str, code: int) -> str:
    """Return why a conversion failed, in one line: the last that pnnx said, and the signal where one ended it."""
    last = next((line.strip("# ") for line in reversed(told.splitlines()) if line.strip("# ")), "")
    if code < 0:
        return f"pnnx cannot convert this file: it died of {signal.Signals(-code).name} after: {last[:300] or 'nothing'}"
    return f"pnnx cannot convert this file: {last[:300] or f'it ended with {code}'}"


def _pnnx() -> str:
    """Return pnnx's program, without importing its package, which wants torch."""
    found = util.find_spec("pnnx")
    if not found or not found.origin:
        raise Unsupported("the package pnnx, which converts ONNX files for ncnn, is not installed")
    return str(Path(found.origin).with_name("pnnx"))


def _shape(array: np.ndarray[Any, Any]) -> str:
    """Return pnnx's name for an input of one row, as in [1,3,224,224]f32."""
    if array.dtype.name not in _TYPES:
        raise Unsupported(f"ncnn's converter takes inputs of {', '.join(_TYPES)}, not {array.dtype}")
    return f"[{','.join(map(str, (1, *array.shape[1:])))}]{_TYPES[array.dtype.name]}"


def _narrowed(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array as ncnn reads it: whole numbers have 32 bits."""
    return array.astype(np.int32) if array.dtype.kind in "iu" else array
