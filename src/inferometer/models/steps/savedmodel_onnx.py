"""Environment `tf2onnx`: a SavedModel as an ONNX file, through tf2onnx.

Request as in `models.conversions`; `onnx_outputs` runs what is made.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

OPSET = 18  # the highest that tf2onnx writes


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the file lies in ``out``/model.onnx, its outputs in the order of the SavedModel's."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import tensorflow as tf
    import tf2onnx

    loaded = tf.saved_model.load(request["model"])
    signature = loaded.signatures["serving_default"]
    names = [item["name"] for item in request["outputs"]]

    def serve(*inputs: Any) -> Any:
        answer = signature(**dict(zip((spec["name"] for spec in request["specs"]), inputs)))
        return [tf.identity(answer[name], name=name) for name in names]

    arguments = [tf.TensorSpec(spec["shape"], spec["dtype"], name=spec["name"]) for spec in request["specs"]]
    target = Path(request["out"]) / "model.onnx"
    try:
        tf2onnx.convert.from_function(
            tf.function(serve, autograph=False), arguments, opset=OPSET, output_path=str(target)
        )
    except Exception as error:
        text = " ".join(str(error).split())
        raise ValueError(f"tf2onnx cannot convert it: {type(error).__name__}: {text[:300]}") from error
    return {"versions": {"tensorflow": tf.__version__, "tf2onnx": metadata.version("tf2onnx")}}
