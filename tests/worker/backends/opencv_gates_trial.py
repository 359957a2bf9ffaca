"""Gates on OpenCV, in its environment: argv is the repository's src and a folder for files."""

import math
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inferometer.worker.backend import Opening
from inferometer.worker.backends.opencv import Runtime

FOLDER = Path(sys.argv[2])
SPREAD = np.random.default_rng(0).normal(size=(4, 4, 1, 1)).astype(np.float32)
ONE, ROOT = np.array(1, np.float32), np.array(2**0.5, np.float32)


def file(name, gate, made_of):
    """x * gate(made_of), as a file."""
    conv, constants = (
        helper.make_node("Conv", ["x", "w"], ["c"]),
        {"w": SPREAD, "one": ONE, "half": ONE / 2, "root": ROOT},
    )
    given, nodes = made_of, []
    for place, (kind, extra, attributes) in enumerate(gate):
        nodes.append(helper.make_node(kind, [given, *extra], [f"g{place}"], **attributes))
        given = f"g{place}"
    product = helper.make_node("Mul", ["x", given], ["y"])
    shape = ["b", 4, 6, 6]
    inputs, outputs = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", "y"))
    graph = helper.make_graph(
        [conv, *nodes, product], name, [inputs], [outputs],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, FOLDER / f"{name}.onnx")


def answer(name, x):
    runtime = Runtime(Opening("onnx", FOLDER / f"{name}.onnx", "NCHW", ("x",), ("y",), "fp32", "cpu", 1))
    runtime.prepare((x,))
    return runtime.run((x,))[0], runtime.actual()


def hard_sigmoid(a):
    return np.clip(a / 6 + 0.5, 0, 1)


def mish_gate(a):
    return np.tanh(np.log1p(np.exp(a)))


GATES = {
    "hard-sigmoid": ([("HardSigmoid", (), {"alpha": 1 / 6, "beta": 0.5})], hard_sigmoid),
    "softplus": ([("Softplus", (), {}), ("Tanh", (), {})], mish_gate),
    "log": ([("Exp", (), {}), ("Add", ("one",), {}), ("Log", (), {}), ("Tanh", (), {})], mish_gate),
}
GELU = [("Div", ("root",), {}), ("Erf", (), {}), ("Add", ("one",), {}), ("Mul", ("half",), {})]


def gelu_gate(a):
    return np.vectorize(lambda value: 0.5 * (1 + math.erf(value / 2**0.5)))(a)


x = np.random.default_rng(1).normal(size=(2, 4, 6, 6)).astype(np.float32)
spread = np.einsum("oi,bihw->bohw", SPREAD[:, :, 0, 0], x)
for name, (gate, compute) in GATES.items():
    for made_of, value, apart in (("c", spread, True), ("x", x, False)):
        file(f"{name}-{made_of}", gate, made_of)
        found, told = answer(f"{name}-{made_of}", x)
        assert np.allclose(found, x * compute(value), atol=1e-5), (
            name,
            made_of,
            abs(found - x * compute(value)).max(),
        )
        assert ("details" in told) == apart, told  # an activation of one value stays as it is
for made_of, value in (("c", spread), ("x", x)):  # of either OpenCV dies
    file(f"gelu-{made_of}", GELU, made_of)
    file(f"tanh-{made_of}", [("Tanh", (), {}), *GELU[2:]], made_of)
    found, told = answer(f"tanh-{made_of}", x)
    assert np.allclose(found, x * (1 + np.tanh(value)) / 2, atol=1e-5) and "details" in told
    found, told = answer(f"gelu-{made_of}", x)
    assert np.allclose(found, x * gelu_gate(value), atol=1e-5) and "details" in told
print("as wanted")
