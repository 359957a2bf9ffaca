"""Which operators of an optimised ONNX file run in integers."""

from types import SimpleNamespace as Some

from inferometer.worker.backends.parts.onnx_integers import counted


def node(kind, **attributes):
    return Some(op_type=kind, attribute=[Some(name=name, i=value) for name, value in attributes.items()])


def test_weights_in_blocks_are_integers_where_values_are_rounded_too():
    rounded, exact = node("MatMulNBits", bits=8, accuracy_level=4), node("MatMulNBits", bits=4, block_size=32)
    found = counted([rounded, exact, node("QGemm"), node("Conv"), node("Relu")])
    assert found.facts() == {
        "integer": {"MatMulNBits": 1, "QGemm": 1},
        "float": {"MatMulNBits": 1, "Conv": 1},
    }
    assert not found.integers.prevail


def test_floats_with_int8_weights_are_a_precision_of_their_own():
    kept = node("MatMulNBits", bits=8, block_size=32)
    found = counted([kept, kept, node("Einsum")])
    assert found.facts() == {"integer": {}, "int8-weights": {"MatMulNBits": 2}, "float": {"Einsum": 1}}
    assert found.integers.precision == "int8-weights" and not found.integers.prevail
    assert counted([kept, node("MatMul")]).integers.precision == ""  # not most of them
    assert counted([node("QGemm"), node("QGemm"), kept]).integers.precision == "int8"
