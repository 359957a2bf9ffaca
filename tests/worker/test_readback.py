"""Whether a cell ran in the precision that it was asked for."""

from pathlib import Path

import pytest

from inferometer.worker.backend import Opening
from inferometer.worker.readback import check_readback


@pytest.mark.parametrize(
    ("asked", "stored", "ran", "status"),
    [
        ("int8", "int8", "int8", "ok"),
        ("int8-weights", "int8", "int8-weights", "ok"),
        ("fp32", "int8", "int8", "ok"),  # a file that is measured as it is
        ("fp32", "int8", "int8-weights", "ok"),
        ("int8", "int8", "int8-weights", "wrong-precision"),
        ("int8-weights", "int8", "int8", "wrong-precision"),
        ("int8-weights", "int8", "fp32", "wrong-precision"),
        ("fp32", "", "int8-weights", "wrong-precision"),
    ],
)
def test_integers_are_right_where_they_were_asked_for_or_stored(asked, stored, ran, status):
    opening = Opening("onnx", Path(), "", (), (), asked, "cpu", 1, stored=stored)
    assert check_readback({"device": "cpu", "precision": ran}, opening)[0] == status
