"""Environment `tf2onnx`: a LiteRT flatbuffer as an ONNX file, through tf2onnx.

Request as in `models.conversions`; `onnx_outputs` runs what is made.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

from inferometer.models.steps.refusals import refusing

OPSET = 18  # the highest that tf2onnx writes


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the file lies in ``out``/model.onnx, inputs and outputs in the order of the flatbuffer's."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import onnx
    import tensorflow as tf
    import tf2onnx

    known = _tensor_names(tf, request["model"])
    with refusing("tf2onnx cannot convert it"):
        model, _ = tf2onnx.convert.from_tflite(request["model"], opset=OPSET)
    _check_operators(onnx, model)
    for values, asked in ((model.graph.input, request["specs"]), (model.graph.output, request["outputs"])):
        _order(values, [known.get(item["name"], item["name"]) for item in asked])
    (Path(request["out"]) / "model.onnx").write_bytes(model.SerializeToString())
    return {"versions": {"tensorflow": tf.__version__, "tf2onnx": metadata.version("tf2onnx")}}


def _tensor_names(tf: Any, path: str) -> dict[str, str]:
    """Return the tensors that the names of a signature stand for; a flatbuffer of the user's is known by its tensors."""
    interpreter = tf.lite.Interpreter(model_path=path)
    names = {}
    for signature in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(signature)
        for details in (runner.get_input_details(), runner.get_output_details()):
            names.update({name: item["name"] for name, item in details.items()})
    return names


def _check_operators(onnx: Any, model: Any) -> None:
    """Raise ValueError for an operator that tf2onnx left as LiteRT's own."""
    strange = {node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)}
    if strange:
        raise ValueError(f"tf2onnx cannot convert it: it has no operator {', '.join(sorted(strange))}")


def _order(values: Any, names: list[str]) -> None:
    """Put the inputs or outputs of a graph into the order of ``names``; as they are where these are others."""
    by_name = {item.name: item for item in values}
    if sorted(by_name) == sorted(names):
        ordered = [by_name[name] for name in names]
        del values[:]
        values.extend(ordered)
