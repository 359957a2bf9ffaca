"""Writes ONNX files of one operator each, with inputs and what ONNX Runtime answers; runs in the onnxrt environment.

`python onnx_operator_files.py FOLDER` leaves NAME.onnx and NAME.npz (arrays by the names of inputs and outputs).
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

RANDOM = np.random.default_rng(0)


def floats(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def bytes_(*shape, kind="uint8", low=0, high=256):
    return RANDOM.integers(low, high, shape).astype(kind)


def recurrent(kind, gates, directions=1, state=True, biased=True, **attributes):
    """Return a case of a recurrent layer of 3 inputs and 4 units over 5 steps and 2 rows."""
    constants = {"W": floats(directions, gates * 4, 3), "R": floats(directions, gates * 4, 4)}
    biases = {"B": floats(directions, gates * 8)} if biased else {}
    states = {name: floats(directions, 2, 4) for name in (["h", "c"] if kind == "LSTM" else ["h"]) if state}
    names = ["x", "W", "R", "B" if biased else "", "", *states]
    given = {"x": floats(5, 2, 3), **states}
    outputs = ["y", "last", *(["cell"] if kind == "LSTM" else [])]
    return kind, names, outputs, given, {**constants, **biases}, {"hidden_size": 4, **attributes}


def quantised_lstm():
    weights = {
        "W": bytes_(2, 3, 16, kind="int8", low=-90, high=90),
        "R": bytes_(2, 4, 16, kind="int8", low=-90, high=90),
    }
    scales = {
        "Ws": np.float32([0.02, 0.01]),
        "Wz": np.int8([0, 0]),
        "Rs": np.float32([0.01, 0.02]),
        "Rz": np.int8([0, 0]),
    }
    constants = {**weights, "B": floats(2, 32), **scales}
    names = ["x", "W", "R", "B", "", "h", "c", "", "Ws", "Wz", "Rs", "Rz"]
    given = {"x": floats(5, 2, 3), "h": floats(2, 2, 4), "c": floats(2, 2, 4)}
    return (
        "com.microsoft.DynamicQuantizeLSTM", names, ["y", "last", "cell"], given, constants,
        {"hidden_size": 4, "direction": "bidirectional"},
    )  # fmt: skip


def node(kind, names, output, **attributes):
    return helper.make_node(kind, names.split(), [output], **attributes)


def one(kind, given, constants=None, output="y", names=None, extra=None, **attributes):
    """Return a case; attributes `opset` and `before` (nodes that come first) are of the file."""
    constants = {**(constants or {}), **(extra or {})}
    return kind, names or [*given, *constants], output.split(), given, constants, attributes


def cases():
    image, whole = {"x": floats(2, 4, 6, 6)}, {"x": bytes_(2, 3)}
    scale, zero = {"s": np.float32([0.1, 0.2, 0.3, 0.4])}, {"z": np.uint8([3, 100, 7, 250])}
    single = {"s": np.float32(0.05), "z": np.int8(4)}
    integers = {"x": bytes_(2, 3, 7), "w": bytes_(7, 5, kind="int8", low=-127, high=127)}
    pixels = {"x": bytes_(2, 4, 6, 6)}
    kernels = bytes_(6, 2, 3, 3, kind="int8", low=-60, high=60)  # 7 bits: sums of two products fit in 16
    strided = {"pads": [1, 0, 2, 1], "strides": [2, 1], "group": 2}
    middle = {"xs": np.float32(0.1), "xz": np.uint8(9)}
    columns = {"ws": np.float32([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), "wz": np.int8([0] * 6)}
    after = {"ys": np.float32(3.0), "yz": np.uint8(120)}
    return {
        "acosh": one("Acosh", {"x": np.abs(floats(2, 3)) + 1}),
        "bitwise": one("BitwiseXor", whole, {"m": np.uint8([1, 2, 255])}, opset=18),
        "cast_like": one("CastLike", {"x": floats(2, 3)}, {"like": np.int64([1])}),
        "gelu": one("Gelu", {"x": floats(2, 3)}, opset=20, approximate="tanh"),
        "global_max_pool": one("GlobalMaxPool", image),
        "greater_or_equal": one("GreaterOrEqual", {"x": floats(2, 3)}, {"b": np.float32([0])}),
        "greater_or_equal_12": one("GreaterOrEqual", {"x": floats(2, 3)}, {"b": np.float32([0])}, opset=12),
        "less_or_equal": one("LessOrEqual", {"x": floats(2, 3)}, {"b": np.float32([0])}),
        "is_nan": one("IsNaN", {"x": np.float32([[1, np.nan], [np.inf, 0]])}),
        "is_nan_9": one("IsNaN", {"x": np.float32([[1, np.nan], [np.inf, 0]])}, opset=9),
        "lp_normalization": one("LpNormalization", {"x": floats(2, 3)}, p=1, axis=1),
        "mish": one("Mish", {"x": floats(2, 3)}, opset=18),
        "one_hot": one("OneHot", {"x": np.int64([[0, -1], [2, 9]])}, {"d": np.int64(4), "v": np.float32([2, 5])}, axis=1),
        "rms_normalization": one("RMSNormalization", {"x": floats(2, 3)}, {"g": floats(3)}, opset=23),
        "group_normalization": one("GroupNormalization", image, {"g": floats(4), "b": floats(4)}, opset=21, num_groups=2),
        "scatter_elements": one(
            "ScatterElements", {"x": floats(2, 3)}, {"i": np.int64([[0, -1], [1, 2]]), "u": floats(2, 2)}, axis=1
        ),
        "scatter_elements_add": one(
            "ScatterElements", {"x": floats(2, 3)}, {"i": np.int64([[0, 0], [1, 1]]), "u": floats(2, 2)}, axis=1, reduction="add"
        ),
        "sinh": one("Sinh", {"x": floats(2, 3)}),
        "space_to_depth": one("SpaceToDepth", image, blocksize=2),
        "thresholded_relu": one("ThresholdedRelu", {"x": floats(2, 3)}, alpha=0.3),
        "trilu": one("Trilu", {"x": floats(2, 3, 3)}, {"k": np.int64(1)}),
        "trilu_lower": one("Trilu", {"x": floats(2, 3, 3)}, upper=0),
        "quantize_linear": one("QuantizeLinear", {"x": 9 * floats(2, 4, 3)}, {**scale, **zero}),
        "quantize_linear_of_tensor": one("QuantizeLinear", {"x": floats(2, 40)}, single),
        "quantize_linear_without_zero": one("QuantizeLinear", {"x": floats(2, 40)}, {"s": np.float32(0.01)}),
        "dequantize_linear": one("DequantizeLinear", {"x": bytes_(2, 4, 3)}, {**scale, **zero}),
        "dequantize_linear_last": one("DequantizeLinear", {"x": bytes_(2, 3, 4)}, {**scale, **zero}, axis=-1),
        "dequantize_linear_of_tensor": one("DequantizeLinear", {"x": bytes_(2, 4, kind="int8", low=-128, high=128)}, single),
        "dynamic_quantize_linear": one("DynamicQuantizeLinear", {"x": floats(2, 50)}, output="y s z"),
        "matmul_integer": one("MatMulInteger", integers, {"a": np.uint8(120), "b": np.int8([0, 1, 2, 3, 4])}),
        "conv_integer": one("ConvInteger", pixels, {"w": kernels, "z": np.uint8(7)}, **strided),
        "qlinear_conv": one("QLinearConv", pixels, {**middle, "w": kernels, **columns, **after, "b": np.int32(range(6))}, **strided),
        "qlinear_matmul": one(
            "QLinearMatMul", {"x": bytes_(2, 7)},
            {**middle, "w": integers["w"], "ws": np.float32(0.1), "wz": np.int8(0), **after},
        ),
        "lstm": recurrent("LSTM", 4),
        "lstm_backwards": recurrent("LSTM", 4, direction="reverse"),
        "lstm_both_ways": recurrent("LSTM", 4, 2, direction="bidirectional"),
        "lstm_without_states": recurrent("LSTM", 4, state=False, biased=False),
        "gru": recurrent("GRU", 3, linear_before_reset=1),
        "gru_both_ways": recurrent("GRU", 3, 2, linear_before_reset=1, direction="bidirectional"),
        "rnn": recurrent("RNN", 1),
        "rnn_relu": recurrent("RNN", 1, activations=["Relu"]),
        "quantised_lstm": quantised_lstm(),
        "reshape": one("Reshape", {"x": floats(2, 6)}, {"shape": np.int64([2, -1, 3])}, allowzero=1),
        "conv_of_quantised_weights": one(
            "Conv", image, {"w": kernels[:, :, :1], **columns}, before=[node("DequantizeLinear", "w ws wz", "kernels", axis=0)], names=["x", "kernels"], group=2
        ),
        "free_slice_of_all_rows": one("Slice", {"x": floats(3, 4)}, {"from": np.int64([0]), "to": np.int64([10**9]), "axes": np.int64([0])}),
        "free_batch_norm_of_unknown_rank": one(
            "BatchNormalization", {"x": floats(3, 72)}, {"rest": np.int64([2, 6, 6]), "w": floats(4, 2, 3, 3), "one": floats(4) ** 2},
            before=[
                node("Shape", "x", "whole"), node("Neg", "whole", "less"), node("Neg", "less", "all"), node("Cast", "from", "start", to=7), node("Slice", "all start to", "rows"), node("Concat", "rows rest", "sizes", axis=0),
                node("Reshape", "x sizes", "images"), node("Conv", "images w", "made"),
            ], names=["made", "one", "one", "one", "one"], extra={"from": np.float32([0]), "to": np.int64([1])},
        ),
        "resize_with_empty_operands": one(
            "Resize", image, {"none": np.float32([]), "empty": np.float32([]), "sizes": np.int64([2, 4, 12, 12]), "larger": np.int64([2, 4, 24, 24])},
            before=[node("Resize", "x none empty sizes", "once", mode="nearest")], names=["once", "empty", "none", "larger"], mode="nearest", opset=11,
        ),
        "lstm_of_computed_weights": one(
            "LSTM", {"x": floats(5, 2, 3)}, {"w": floats(3, 16).astype("float16"), "r": floats(16, 4), "front": np.int64([0])},
            before=[node("Cast", "w", "wide", to=1), node("Transpose", "wide", "turned"), node("Unsqueeze", "turned front", "W"), node("Unsqueeze", "r front", "R")],
            names=["x", "W", "R"], hidden_size=4,
        ),
        "free_pad_by_reflection": one("Pad", {"x": floats(3, 6)}, {"pads": np.int64([0, 1, 0, 4])}, mode="reflect"),
        "refused_gru": recurrent("GRU", 3, linear_before_reset=0),
        "refused_lstm": recurrent("LSTM", 4, clip=3.0),
    }  # fmt: skip


def model_of(kind, names, outputs, given, constants, options, free=False):
    opset = options.get("opset", 17)
    attributes = {name: value for name, value in options.items() if name not in ("opset", "before")}
    domain, _, operator = kind.rpartition(".")
    types = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in given.items()}
    inputs = [
        helper.make_tensor_value_info(name, types[name], ["batch", *array.shape[1:]] if free else array.shape)
        for name, array in given.items()
    ]
    made = helper.make_graph(
        [
            *options.get("before", []),
            helper.make_node(operator, names, outputs, domain=domain, **attributes),
        ],
        operator,
        inputs,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)


def main(folder):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, case in cases().items():
        model = model_of(*case, free=name.startswith("free"))
        onnx.save(model, folder / f"{name}.onnx")
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        found = dict(zip(case[2], session.run(None, case[3]), strict=True))
        np.savez(
            folder / f"{name}.npz", **case[3], **{f"output {key}": array for key, array in found.items()}
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
