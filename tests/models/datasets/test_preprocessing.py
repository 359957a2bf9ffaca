"""How images become inputs, and how that is written."""

import numpy as np
import pytest
from PIL import Image

from data_sets import assert_refused, joined, prepared
from inferometer.errors import UsageError
from inferometer.models.datasets.prepared import DatasetRequest
from inferometer.models.datasets.preprocessing import parsed, settled, written


def test_images_are_cut_as_torchvision_cuts_them(tmp_path):
    strip = np.zeros((8, 16, 3), np.uint8)
    strip[:, 4:12] = 255
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "b").mkdir()
    for name in "ab":
        Image.fromarray(strip).save(tmp_path / "data" / name / "1.png")
    asked = DatasetRequest(tmp_path / "data", None, "scale=1,crop=1,resize=nearest")
    assert joined(prepared(asked, tmp_path, outputs=((2,),))).min() == 255
    asked = DatasetRequest(tmp_path / "data", None, "scale=1,fit=squash,resize=nearest")
    assert joined(prepared(asked, tmp_path, outputs=((2,),)))[0, 0, :, 0].tolist() == [0, 255, 255, 0]


def test_grey_models_get_one_channel(folder, tmp_path):
    shards = prepared(DatasetRequest(folder, None, "scale=1"), tmp_path, shape=(None, 4, 4, 1), layout="NHWC")
    assert joined(shards).shape == (4, 4, 4, 1)


def test_what_the_model_itself_is_made_for_is_taken_unless_asked_otherwise(folder, tmp_path):
    own = {"crop": 0.5, "mean": (1.0,), "std": (2.0,), "order": "BGR", "height": 299, "width": 299}
    shards = prepared(DatasetRequest(folder, None, "mean=3"), tmp_path, own=own)
    assert shards.info.preprocessing["crop"] == 0.5
    assert shards.affine == {"order": "BGR", "scale": 1 / 255, "mean": [3.0], "std": [2.0]}


def test_palettes_with_transparency_warn_nobody(folder, tmp_path):
    """Pillow's warning is an error here."""
    clear = Image.new("P", (8, 8), 1)
    clear.putpalette([0, 0, 0, 200, 100, 50])
    clear.save(folder / "cat" / "0.png", transparency=b"\x80\xff")
    shards = prepared(DatasetRequest(folder, None, "scale=1"), tmp_path)
    assert joined(shards)[0, 0, 0].tolist() == [200, 100, 50]


def test_images_of_16_bits_are_refused_rather_than_white(folder, tmp_path):
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(folder / "cat" / "deep.png")
    assert_refused(folder, "deep.png has pixels of more than 8 bits", tmp_path)


def test_preprocess_is_read():
    found = parsed(
        "size=224x192, crop=0.9, mean=0.1:0.2:0.3, std=1/4, order=bgr, scale=1/255, resize=Bilinear"
    )
    assert found == {
        "height": 224, "width": 192, "crop": 0.9, "mean": (0.1, 0.2, 0.3), "std": (0.25,), "order": "BGR",
        "scale": 1 / 255, "resize": "bilinear",
    }  # fmt: skip
    assert parsed(written({"size": (224, 192), "mean": [0.1, 0.2, 0.3]})) == {
        "height": 224, "width": 192, "mean": (0.1, 0.2, 0.3),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("224", "none of size="),
        ("crop=2", "crop=2: a crop is the share"),
        ("scale=0", "a scale is"),
        ("scale=1/0", "a scale is"),
        ("mean=1:2", "give one number, or three"),
        ("std=0", "above 0"),
        ("std=nan", "above 0"),
        ("resize=cubic", "give one of bicubic"),
        ("size=0", "pixels a side"),
        ("order=GBR", "RGB or BGR"),
    ],
)
def test_preprocess_that_means_nothing(text, match):
    with pytest.raises(UsageError, match=match):
        parsed(text)


SPEC = {"name": "image", "shape": (None, 3, 4, 4), "dtype": "float32"}


def test_preprocessing_that_nobody_knows_is_asked_for():
    with pytest.raises(UsageError, match="is not known; say it, for instance --preprocess"):
        settled("", None, SPEC, "NCHW")
    with pytest.raises(UsageError, match="size=8x8, but the model takes 4x4"):
        settled("size=8", None, SPEC, "NCHW")
    with pytest.raises(UsageError, match="takes pixels as bytes"):
        settled("mean=3", None, {**SPEC, "dtype": "uint8"}, "NCHW")
    assert settled("scale=1", None, {**SPEC, "dtype": "uint8"}, "NCHW").is_of_pixels
