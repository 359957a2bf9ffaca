"""Environment `nncf`: an ONNX file with its weights quantised for OpenVINO by NNCF: per channel, with zero points.

Request as in `models.conversions`, of a step that quantises; nothing is calibrated. What the file answers plainly is
OpenVINO's floats: its kernels, left alone, round the values of such layers too, in groups along each row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inferometer.models.steps import calibration, linear_share, onnxfile, openvino_int8, tensors
from inferometer.models.steps.refusals import refusing

_OTHERS = (
    "Convolution", "GroupConvolution", "ConvolutionBackpropData", "Einsum", "LSTMSequence", "GRUSequence", "RNNSequence",
)  # fmt: skip
_SAME = ("Convert", "Reshape", "Transpose", "Unsqueeze", "Squeeze")  # move values only
_PLAIN = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return checks and versions; the quantised model lies in ``out``/model.xml and model.bin."""
    os.environ["NNCF_CI"] = "1"  # NNCF's telemetry is off
    import nncf
    import openvino

    out = Path(request["out"])
    onnxfile.refuse_quantised(request["model"])
    nncf.set_log_level(40)
    model = openvino.Core().read_model(request["model"])
    kinds = [node.get_type_name() for node in model.get_ops() if _has_weights(node)]
    linear_share.check(kinds.count("MatMul"), len(kinds) - kinds.count("MatMul"), "OpenVINO")
    openvino.save_model(_compressed(nncf, model), out / "model.xml", compress_to_fp16=False)
    batch = tensors.batch_of(request["specs"])
    compute = openvino_int8.computing(openvino, out / "model.xml", batch, _PLAIN)
    return {
        "checks": calibration.reference(request, compute, batch, out),
        "stored": "int8",
        "notes": ["weights in 8 bits, values as floats or rounded as they come"],
        "versions": {"nncf": nncf.__version__, "openvino": openvino.__version__},
    }


def _has_weights(node: Any) -> bool:
    if node.get_type_name() not in ("MatMul", *_OTHERS):
        return False
    return any(_is_constant(value.get_node()) for value in node.input_values())


def _is_constant(node: Any) -> bool:
    while node.get_type_name() in _SAME:
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


def _compressed(nncf: Any, model: Any) -> Any:
    with refusing("NNCF fails"):
        return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
