"""Runs inside the environment of TensorRT for RTX: builds engines of a small network and prints what came of it."""

import json
import sys
import types
from pathlib import Path

package = types.ModuleType("inferometer")
package.__path__ = [sys.argv[1]]
sys.modules["inferometer"] = package
FOLDER = Path(sys.argv[2])

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import tensorrt_rtx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from inferometer.worker.backends.parts import trt_build, trt_onnx  # noqa: E402

SHAPE = (4, 3, 16, 16)


def save(name, nodes, tensors, batch="n"):
    """Write a model x (batch, 3, 16, 16) -> y (batch, 5) and return its path."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *SHAPE[1:]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])],
        [numpy_helper.from_array(value, key) for key, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path = FOLDER / f"{name}.onnx"
    onnx.save(model, path)
    return path


def network(scale=1.0):
    """Return nodes and weights: convolution, hardswish, resize (its scales stay fp32), mean, product."""
    random = np.random.default_rng(0)
    tensors = {
        "w": (random.normal(size=(8, 3, 3, 3)) * 0.2 * scale).astype(np.float32),
        "b": random.normal(size=8).astype(np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "m": (random.normal(size=(8, 5)) * 0.3).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("HardSwish", ["c"], ["h"]),
        helper.make_node("Resize", ["h", "", "scales"], ["r"], mode="nearest"),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["y"]),
    ]
    return nodes, tensors


def quantised():
    """Return the network with its input quantised."""
    nodes, tensors = network()
    tensors |= {"s": np.array(0.05, np.float32), "z": np.array(0, np.int8)}
    pair = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
    ]
    nodes[0].input[0] = "d"
    return [*pair, *nodes], tensors


def build(path, precision, shape=SHAPE, target="sm_86"):
    return trt_build.build_engine(
        tensorrt_rtx, path, precision, {"x": shape}, target=target, cache=FOLDER / "cache"
    )


def refusal(*arguments, **options):
    try:
        build(*arguments, **options)
    except Exception as error:
        return type(error).__name__, str(error)
    return "nothing", ""


def outside(place):
    """Return a model whose weights, by ``place``, lie in a file of another name than its own, and that file."""
    nodes, tensors = network()
    if place == "constant":
        kept = helper.make_node("Constant", [], ["m"], value=numpy_helper.from_array(tensors.pop("m"), "m"))
        nodes.insert(0, kept)
    path = save(place, nodes, tensors)
    model = onnx.load(path)
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        location=f"{place}.bin",
        size_threshold=100,  # not the scales of Resize, which are shapes
        convert_attribute=True,
    )
    return path, FOLDER / f"{place}.bin"


def rebuilt(place):
    """Return whether engines come from the cache while the weights outside are the same, and after they were changed."""
    path, weights = outside(place)
    assert trt_onnx.weight_files(path) == [weights]
    build(path, "fp32")
    same = build(path, "fp32").facts["cached"]
    values = np.frombuffer(weights.read_bytes(), np.float32).copy()
    weights.write_bytes((values * 2).tobytes())
    return same, build(path, "fp32").facts["cached"]


MODEL = save("model", *network())
ENGINES = {precision: build(MODEL, precision) for precision in ("fp32", "tf32", "fp16", "bf16")}
x = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
expected = ReferenceEvaluator(str(MODEL)).run(None, {"x": x})[0]
half = ReferenceEvaluator(onnx.load_from_string(trt_onnx.to_half(MODEL, "fp16"))).run(None, {"x": x})[0]
assert half.dtype == np.float32
again = build(MODEL, "fp16")
(FOLDER / "garbage.onnx").write_bytes(b"no model at all")
print(
    json.dumps(
        {
            "engines": {name: {**e.facts, "bytes": len(e.data)} for name, e in ENGINES.items()},
            "half_error": float(np.abs(half - expected).max() / np.abs(expected).max()),
            "again": again.facts,
            "again_equal": again.data == ENGINES["fp16"].data,
            "other_shape": build(MODEL, "fp16", (8, *SHAPE[1:])).facts,
            "int8": build(save("quantised", *quantised()), "int8").facts,
            "outside": [rebuilt("initializer"), rebuilt("constant")],
            "tells_memory": [
                hasattr(tensorrt_rtx.ICudaEngine, name)
                for name in ("device_memory_size_v2", "get_engine_stat")
            ],
            "refusals": {
                "sm_90": refusal(MODEL, "fp32", target="sm_90"),
                "int8": refusal(MODEL, "int8"),
                "garbage": refusal(FOLDER / "garbage.onnx", "fp32"),
                "static": refusal(save("static", *network(), batch=2), "fp32"),
                "range": refusal(save("large", *network(1e7)), "fp16"),
            },
        }
    )
)
