"""Environment `litert`: run a converted flatbuffer on the rows, to check the conversion.

Request as in `models.conversions`, of the file that was made.
"""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the outputs lie in ``out``/check.npz."""
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    names = [spec["name"] for spec in request["specs"]]
    outputs_named = [spec["name"] for spec in request["outputs"]]
    interpreter = Interpreter(model_path=request["model"])
    signature = interpreter.get_signature_runner("serving_default")

    def call(batch: list[Any]) -> list[Any]:
        answer = signature(**dict(zip(names, batch)))
        return [answer[name] for name in outputs_named]

    outputs = tensors.run_in_chunks(call, tensors.rows_of(request), tensors.batch_of(request["specs"]))
    tensors.write_check(request["out"], outputs)
    return {"versions": {"ai-edge-litert": ai_edge_litert.__version__}}
