"""Sizes of ONNX graphs as numbers: by ONNX's rules, symbolic ones too."""

import numpy as np
import pytest

from inferometer.models.steps.onnx_sizes import MOST, Numbers, compute, shape_of


class Batch:
    """A symbolic integer, written as an expression."""

    def __init__(self, text="b"):
        self.text = text

    def __mul__(self, other):
        return Batch(f"({self.text} * {other})")

    def __floordiv__(self, other):
        return Batch(f"({self.text} // {other})")

    def __eq__(self, other):
        return isinstance(other, Batch)

    __hash__ = None


def integers(*values):
    return Numbers.of(np.array(values, "int64"), "int64")


def test_the_shape_of_heads_is_computed_with_a_symbolic_batch():
    shape = shape_of([Batch(), 16, 32])
    rows = compute("Unsqueeze", {}, [compute("Gather", {}, [shape, Numbers.of(0, "int64")]), integers(0)])
    width = compute(
        "Div", {}, [compute("Slice", {}, [shape, integers(-1), integers(2**63 - 1)]), integers(4)]
    )
    sizes = compute("Concat", {"axis": 0}, [compute("Mul", {}, [rows, integers(4)]), integers(16), width])
    assert width.are_known and width.values.dtype == "int64"
    assert not sizes.are_known
    assert [getattr(value, "text", value) for value in sizes.values] == ["(b * 4)", 16, 8]


def test_what_an_expand_of_pytorch_computes_keeps_the_batch():
    """-1 where nothing is asked: ConstantOfShape, Mul, Equal, Where."""
    wanted = shape_of([Batch(), -1])
    ones = compute("ConstantOfShape", {"value": np.array([1])}, [integers(2)])
    minus = compute("Mul", {}, [ones, Numbers.of(-1, "int64")])
    found = compute("Where", {}, [compute("Equal", {}, [wanted, minus]), ones, wanted])
    assert isinstance(found.values[0], Batch) and found.values[1] == 1


@pytest.mark.parametrize(("one", "other", "result"), [(-7, 2, -3), (7, -2, -3), (7, 2, 3)])
def test_integers_are_divided_towards_zero(one, other, result):
    assert compute("Div", {}, [integers(one), integers(other)]).values.tolist() == [result]


def test_types_follow_the_graph():
    half = compute("Cast", {"to": 1}, [integers(3)])
    root = compute("Sqrt", {}, [half])
    assert root.dtype == "float32" and root.values == np.sqrt(np.float32(3))
    assert compute("Cast", {"to": 7}, [root]).values.tolist() == [1]
    assert compute("Less", {}, [integers(1), integers(2)]).dtype == "bool"


def test_what_is_no_size_is_left_to_tensors():
    assert compute("Softmax", {}, [integers(1)]) is None
    assert compute("Cast", {"to": 1}, [shape_of([Batch()])]) is None
    assert compute("Expand", {}, [integers(1), integers(MOST + 1)]) is None
    assert compute("ConstantOfShape", {}, [integers(1000, 1000)]) is None
