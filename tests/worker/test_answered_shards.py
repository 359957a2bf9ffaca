"""A shard answered by a worker: the classes that come first, the last batch filled up, pixels normalised."""

from pathlib import Path

import numpy as np
import pytest

from inferometer.worker.backend import Backend, Opening
from inferometer.worker.evaluation import distances, evaluate, first_classes, normalised
from inferometer.worker.protocol import Evaluate


class Doubling(Backend):
    """Gives back twice what it gets, and keeps the shapes."""

    def __init__(self):
        self.seen = []

    def prepare(self, batch):
        pass

    def run(self, batch):
        self.seen.append(batch[0].copy())
        return [batch[0].reshape(len(batch[0]), -1) * 2.0]

    def actual(self):
        return {}


def opening(layout=""):
    return Opening("fake", Path(), layout, ("x",), ("y",), "fp32", "cpu", 1)


def asked(path, **more):
    usual = {"batch_size": 4, "rows": [str(path)], "layout": "", "dtype": "", "affine": {}, "output": 0}
    return Evaluate(**{**usual, **more})


def test_every_row_is_answered_once_and_every_batch_is_whole(tmp_path):
    rows = np.random.default_rng(0).normal(size=(10, 7)).astype("f")
    np.save(tmp_path / "r.npy", rows)
    backend = Doubling()
    answer = evaluate(backend, opening(), asked(tmp_path / "r.npy"))
    assert [len(batch) for batch in backend.seen] == [4, 4, 4]
    np.testing.assert_array_equal(backend.seen[2][2:], rows[[9, 9]])
    assert answer.first == np.argsort(-rows, axis=1)[:, :5].tolist()


def test_of_equal_scores_the_lowest_class_comes_first():
    assert first_classes(np.array([[1.0, 3, 3, 2, 3, 0]])).tolist() == [[1, 2, 4, 3, 0]]
    assert first_classes(np.array([[1.0, 3]])).tolist() == [[1, 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_no_class(bad):
    assert first_classes(np.array([[1.0, bad, 2], [1, 2, 3]])).tolist() == [[-1, -1, -1], [2, 1, 0]]


def test_values_are_held_against_the_answers(tmp_path):
    rows, wanted = np.ones((3, 4), "f"), np.full((3, 4), 2.0)
    wanted[1] = 3
    wanted[2] = [4, 0, 4, 0]
    np.save(tmp_path / "r.npy", rows)
    np.save(tmp_path / "t.npy", wanted)
    answer = evaluate(Doubling(), opening(), asked(tmp_path / "r.npy", targets=str(tmp_path / "t.npy")))
    assert answer.squared_errors == [0.0, 1.0, 4.0]
    assert answer.cosines == pytest.approx([1, 1, 2**-0.5])
    assert distances(np.array([[np.nan]]), np.array([[1.0]])) == ([None], [None])
    assert distances(np.zeros((1, 2)), np.zeros((1, 2))) == ([0.0], [1.0])
    assert distances(np.ones((1, 2)), np.zeros((1, 2))) == ([1.0], [0.0])
    with pytest.raises(ValueError, match="outputs have 2 values a row, the answers 3"):
        distances(np.zeros((1, 2)), np.zeros((1, 3)))


AFFINE = {"order": "BGR", "scale": 0.5, "mean": [1.0, 2.0, 3.0], "std": [1.0, 2.0, 4.0]}
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)


def test_pixels_are_normalised_channel_by_channel_in_the_order_asked():
    found = normalised(PIXELS, asked("", layout="NHWC", dtype="float32", affine=AFFINE))
    wanted = (PIXELS[..., ::-1] * 0.5 - [1, 2, 3]) / [1, 2, 4]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    turned = normalised(
        PIXELS.transpose(0, 3, 1, 2), asked("", layout="NCHW", dtype="float32", affine=AFFINE)
    )
    np.testing.assert_array_equal(turned, found.transpose(0, 3, 1, 2))


def test_models_that_take_bytes_get_bytes():
    affine = {"order": "RGB", "scale": 1.0, "mean": [0.0], "std": [1.0]}
    found = normalised(PIXELS, asked("", layout="NHWC", dtype="uint8", affine=affine))
    np.testing.assert_array_equal(found, PIXELS)


def test_pixels_reach_the_model_in_its_layout(tmp_path):
    np.save(tmp_path / "r.npy", PIXELS)
    backend = Doubling()
    one = {"order": "RGB", "scale": 1.0, "mean": [0.0], "std": [1.0]}
    evaluate(backend, opening("NCHW"), asked(tmp_path / "r.npy", layout="NHWC", dtype="float32", affine=one))
    np.testing.assert_array_equal(backend.seen[0], PIXELS[:4].transpose(0, 3, 1, 2))
