"""Environment `onnxrt`: an ONNX file with the weights of its linear layers quantised for ONNX Runtime: MatMulNBits of 8 bits.

Request as in `models.conversions`, of a step that quantises; nothing is calibrated. The values stay floats: an accuracy level
of 4, which rounds them too, took as much of the processor's time (vit_tiny) and was further off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import calibration, linear_share, onnx_reference, onnxfile
from inferometer.models.steps.refusals import refusing

_BLOCK = 32  # inputs of a column that share a scale
_DOMAIN = "com.microsoft"
_OTHERS = ("Conv", "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN")  # operators with weights


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return what `onnx_reference` says of the file, which lies in ``out``/model.onnx."""
    import onnx

    out = Path(request["out"])
    onnxfile.refuse_quantised(request["model"])
    path = str(out / "model.onnx")
    onnx.save(_quantised(_prepared(request["model"], out)), path)
    rows = calibration.timed(request)
    return {
        **onnx_reference.write(path, request["specs"], rows, calibration.more_of(request), out),
        "stored": "int8",
        "notes": [f"weights of linear layers in 8 bits, in blocks of {_BLOCK}"],
    }


def _prepared(path: str, out: Path) -> Any:
    """Return the file with constants folded, so that weights are found."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = out / "prepared.onnx"
    try:
        with refusing("ONNX Runtime cannot prepare the file"):
            quant_pre_process(path, prepared, skip_symbolic_shape=True)
            return onnx.load(prepared)
    finally:
        prepared.unlink(missing_ok=True)


def _quantised(model: Any) -> Any:
    graph = model.graph
    layers = {node.output[0] for node in linear_share.linear(graph)}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    others = [node for node in graph.node if node.op_type in _OTHERS and weights.keys() & set(node.input)]
    linear_share.check(len(layers), len(others), "ONNX Runtime")
    nodes = [
        _layer(graph, node, weights[node.input[1]]) if node.output[0] in layers else node
        for node in graph.node
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)
    if not any(known.domain == _DOMAIN for known in model.opset_import):
        model.opset_import.add(domain=_DOMAIN, version=1)
    return model


def _layer(graph: Any, node: Any, weights: Any) -> Any:
    """Return the node that takes a linear layer's place; its weights and scales are added to the graph."""
    from onnx import helper, numpy_helper

    matrix = numpy_helper.to_array(weights)
    matrix = matrix.T if linear_share.transposed(node) else matrix
    name, (rows, columns) = node.output[0], matrix.shape
    packed, scales = _blocks(matrix)
    graph.initializer.extend(
        [numpy_helper.from_array(packed, f"{name}_packed"), numpy_helper.from_array(scales, f"{name}_scales")]
    )
    bias = ["", "", node.input[2]] if len(node.input) > 2 and node.input[2] else []
    return helper.make_node(
        "MatMulNBits", [node.input[0], f"{name}_packed", f"{name}_scales", *bias], [name], name=node.name, domain=_DOMAIN,
        K=rows, N=columns, bits=8, block_size=_BLOCK,
    )  # fmt: skip


def _blocks(matrix: Any) -> tuple[Any, Any]:
    """Return a matrix' bytes and scales, column by column in blocks, by ONNX Runtime's own quantiser."""
    from onnxruntime.capi._pybind_state import quantize_matmul_8bits

    rows, columns = matrix.shape
    count = -(-rows // _BLOCK)
    padded = np.ascontiguousarray(np.pad(matrix, ((0, count * _BLOCK - rows), (0, 0))))
    packed, zeros = np.zeros((columns, count, _BLOCK), np.uint8), np.zeros((columns, count), np.uint8)
    scales = np.zeros((columns, count), np.float32)
    quantize_matmul_8bits(
        packed, padded, scales, zeros, _BLOCK, columns, rows, True
    )  # symmetric: no zero points
    return packed, scales


def _drop_unused(graph: Any) -> None:
    """Remove the weights that no node takes any more."""
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # graphs within may
    used = {name for node in graph.node for name in node.input} | {item.name for item in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
