"""ncnn on the CPU, in float32."""

from __future__ import annotations

import subprocess
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main
from inferometer.worker.backends.parts.onnx_whole import whole

ARTIFACT = "model.onnx"
OUTPUTS: list[str] = []
LOWER = (
    "fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage", "int8_inference", "vulkan_compute",
)  # fmt: skip
TYPES = {"float32": "f32", "int32": "i32", "int64": "i64"}


class Model:
    """One net for every batch size; the file is converted by pnnx when it is first needed."""

    def __init__(self) -> None:
        import ncnn

        self._ncnn = ncnn
        self._net: Any = None

    def _load(self, batch: tuple[Any, ...]) -> Any:
        path = HERE / "ncnn" / "model.ncnn.param"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            # pnnx writes beside what it reads, and reads no weights from other files
            (path.parent / "model.onnx").write_bytes(whole(HERE / ARTIFACT))
            shapes = (f"[{','.join(map(str, (1, *a.shape[1:])))}]{TYPES[a.dtype.name]}" for a in batch)
            pnnx = str(Path(str(util.find_spec("pnnx").origin)).with_name("pnnx"))  # type: ignore[union-attr]
            command = [pnnx, "model.onnx", f"inputshape={','.join(shapes)}", "fp16=0"]
            subprocess.run(command, cwd=path.parent, check=True, stdout=subprocess.DEVNULL)
        net = self._ncnn.Net()
        for setting in LOWER:
            setattr(net.opt, f"use_{setting}", False)
        net.opt.num_threads = THREADS
        net.load_param(str(path))
        net.load_model(str(path.with_suffix(".bin")))
        return net

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        self._net = self._net or self._load(batch)
        arrays = [array.astype(np.int32) if array.dtype.kind in "iu" else array for array in batch]
        extractor = self._net.create_extractor()
        for index, array in enumerate(arrays):
            extractor.input(f"in{index}", self._ncnn.Mat(array, batch_index=0))
        answers = [extractor.extract(f"out{index}") for index in range(len(OUTPUTS))]
        if any(code for code, _ in answers):
            raise RuntimeError("ncnn cannot compute this shape")
        return [np.array(matrix.numpy(batch_index=0)) for _, matrix in answers]


if __name__ == "__main__":
    main(Model)
