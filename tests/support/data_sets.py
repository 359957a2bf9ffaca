"""Small data sets on disk, and models that take them."""

import numpy as np
import pytest
from PIL import Image

from inferometer.errors import UsageError
from inferometer.models.contract import PreparedModel
from inferometer.models.datasets.prepared import DatasetRequest, prepare_dataset
from inferometer.models.steps.tensors import numbered, write_npz
from inferometer.records import ModelInfo


def image(path, size=(9, 7), colour=(200, 100, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def model(tmp_path, *, outputs=((3,),), shape=(None, 3, 4, 4), dtype="float32", layout="NCHW"):
    write_npz(str(tmp_path / "reference.npz"), numbered([np.zeros((2, *o), "f") for o in outputs]))
    info = ModelInfo(inputs=({"name": "image", "shape": shape, "dtype": dtype},))
    return PreparedModel(info, {}, {}, tmp_path / "inputs.npz", tmp_path / "reference.npz", layout=layout)


def prepared(request, tmp_path, own=None, **kind):
    return prepare_dataset(
        request, model(tmp_path, **kind), lambda: own, tmp_path / "shards", lambda text: None
    )


def joined(shards, place=0):
    return np.concatenate([np.load(part.rows[place]) for part in shards.parts])


def assert_refused(path, match, tmp_path, labels=None, preprocess="scale=1/255", **kind):
    with pytest.raises(UsageError, match=match) as caught:
        prepared(DatasetRequest(path, labels, preprocess), tmp_path, **kind)
    assert "\n" not in str(caught.value)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return tmp_path / "d.npz"


X = np.zeros((4, 3, 4, 4), "f")


Y = np.array([0, 1, 2, 0])
