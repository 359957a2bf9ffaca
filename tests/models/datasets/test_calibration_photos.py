"""Photos to calibrate by become inputs as the images of the data set do."""

import numpy as np
import pytest
from PIL import Image

from inferometer.errors import UsageError
from inferometer.models import calibration_rows
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.models.step_cache import StepCache, read_arrays

SPEC = {"name": "image", "shape": [None, 3, 4, 4], "dtype": "float32"}


def rows(tmp_path, asked, own=None):
    Image.new("RGB", (9, 7), (255, 0, 0)).save(tmp_path / "red.png")
    steps = StepCache(None, ArtifactCache(tmp_path / "cache"), print)
    (found,) = read_arrays(calibration_rows.given(tmp_path / "red.png", [SPEC], steps, asked, lambda: own))
    return found


def test_by_what_the_user_says_or_the_model_knows(tmp_path):
    found = rows(tmp_path, "scale=1/255,mean=0.5,std=0.5")
    assert found.shape == (1, 3, 4, 4) and found.dtype == np.float32
    assert (found[0, :, 0, 0] == (1, -1, -1)).all()
    assert (rows(tmp_path, "", {"scale": 1.0})[0, :, 0, 0] == (255, 0, 0)).all()


def test_without_a_data_set_each_is_standardised(tmp_path):
    assert rows(tmp_path, None).mean() == pytest.approx(0, abs=1e-6)


def test_preprocessing_that_nobody_knows_is_asked_for(tmp_path):
    with pytest.raises(UsageError, match="how images become this model's input is not known"):
        rows(tmp_path, "")
