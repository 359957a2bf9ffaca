"""Environment `litert`: run a converted flatbuffer on the rows, to check the conversion.

Request: file, inputs (.npz, in the order of the source's inputs), specs (the SavedModel's), outputs (their names), out
(directory: check.npz).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the outputs lie in ``out``/check.npz."""
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    arrays = tensors.read_npz(request["inputs"], request["specs"])
    interpreter = Interpreter(model_path=request["file"])
    signature = interpreter.get_signature_runner("serving_default")

    def call(batch: list[Any]) -> list[Any]:
        answer = signature(**dict(zip(arrays, batch)))
        return [answer[name] for name in request["outputs"]]

    outputs = tensors.run_in_chunks(call, list(arrays.values()), tensors.batch_of(request["specs"]))
    tensors.write_npz(str(Path(request["out"]) / "check.npz"), dict(zip(request["outputs"], outputs)))
    return {"versions": {"ai-edge-litert": ai_edge_litert.__version__}}
