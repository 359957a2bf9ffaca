"""What generated inputs are, told as they were drawn."""

import numpy as np
import pytest

from inferometer.models.steps import drawn, tensors


def spec(name, dtype, *shape):
    return {"name": name, "shape": [None, *shape], "dtype": dtype}


SPECS = [
    spec("ids", "int64", 500),
    spec("attention_mask", "int64", 500),
    spec("x", "float32", 500),
    spec("y", "float32", 500),
    spec("pixels", "uint8", 500),
    spec("small", "int8", 500),
    spec("given", "int32", 500),
    spec("flag", "bool", 500),
]
RANGES, SIZES = {"y": [-1, 2.5], "given": [3, 9]}, {"ids": 30522}
WORDS = {
    "ids": "0 to 30521",
    "attention_mask": "ones",
    "x": "normal(0, 1)",
    "y": "uniform(-1, 2.5)",
    "pixels": "0 to 255",
    "small": "0 to 127",
    "given": "3 to 8",
    "flag": "0 or 1",
}


def test_each_kind_of_input_is_told():
    assert drawn.words({"inputs": None, "ranges": RANGES}, SPECS, SIZES) == WORDS
    assert drawn.words({"inputs": "rows.npz", "ranges": {}}, SPECS, SIZES) == {}
    assert drawn.words({"inputs": None, "images": "photos.npz", "ranges": {}}, SPECS, SIZES) == {}


@pytest.mark.parametrize("name", ["ids", "pixels", "small", "given"])
def test_the_limits_told_are_those_drawn(name):
    arrays = tensors.generate(SPECS, RANGES, 0, SIZES, least=400)
    low, high = map(int, WORDS[name].split(" to "))
    assert (arrays[name].min(), arrays[name].max()) == (low, high) or np.ptp(arrays[name]) > 0.99 * (
        high - low
    )
    assert low <= arrays[name].min() and arrays[name].max() <= high
