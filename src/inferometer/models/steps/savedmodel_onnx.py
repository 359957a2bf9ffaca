"""Environment `tf2onnx`: a SavedModel as an ONNX file, through tf2onnx.

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
    served = tf.function(serve, autograph=False)
    target = str(Path(request["out"]) / "model.onnx")
    with refusing("tf2onnx cannot convert it"):
        if constants := _constants(tf, served.get_concrete_function(*arguments)):
            _convert_with(tf, tf2onnx, served.get_concrete_function(*arguments), constants, target)
        else:
            tf2onnx.convert.from_function(served, arguments, opset=OPSET, output_path=target)
    return {"versions": {"tensorflow": tf.__version__, "tf2onnx": metadata.version("tf2onnx")}}


def _constants(tf: Any, function: Any) -> dict[str, Any]:
    """Return the constants that a function captured, by the name of the placeholder that stands for each; not its variables."""
    placeholders = function.inputs[len(function.inputs) - len(function.captured_inputs) :]
    pairs = zip(placeholders, function.captured_inputs)
    return {
        inner.op.name: outer.numpy() for inner, outer in pairs if outer.dtype not in (tf.resource, tf.variant)
    }


def _convert_with(tf: Any, tf2onnx: Any, function: Any, constants: dict[str, Any], target: str) -> None:
    """Write a function whose captured constants are part of its graph: tf2onnx alone would make inputs of them."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    graph = frozen.graph.as_graph_def(add_shapes=True)
    for node in graph.node:
        if node.op == "Placeholder" and node.name in constants:
            value = constants[node.name]
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    given = [
        tensor.name for tensor in function.inputs[: len(function.inputs) - len(function.captured_inputs)]
    ]
    tf2onnx.convert.from_graph_def(
        graph,
        input_names=given,
        output_names=[tensor.name for tensor in function.outputs],
        tensors_to_rename={name: name.partition(":")[0] for name in given},
        opset=OPSET,
        output_path=target,
    )
