"""What a quantised form is checked with: rows as the source has them, whatever the layout of its own."""

import numpy as np
import pytest

from inferometer.models.steps import calibration, tensors


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_rows_for_checks_are_kept_as_the_source_has_them(tmp_path, layout):
    rng = np.random.default_rng(0)
    given = {name: rng.random((rows, 3, 4, 5), dtype="f") for name, rows in (("inputs", 4), ("more", 6))}
    for name, rows in given.items():
        tensors.write_npz(str(tmp_path / f"{name}.npz"), {"image": rows})
    shape = [None, 3, 4, 5] if layout == "NCHW" else [None, 4, 5, 3]
    request = {
        **{name: str(tmp_path / f"{name}.npz") for name in given},
        "specs": [{"name": "image:0", "shape": shape, "dtype": "float32"}],
        "source_layout": "NCHW",
        "layout": layout,
    }
    seen = []

    def compute(rows, chunk):
        seen.append(rows["image:0"].shape[1:])
        return [rows["image:0"].reshape(len(rows["image:0"]), -1).sum(axis=1, keepdims=True)]

    calibration.reference(request, compute, None, tmp_path)
    assert set(seen) == {tuple(shape[1:])}
    with np.load(tmp_path / "unseen_inputs.npz") as file:
        np.testing.assert_array_equal(file["image"], given["more"])
