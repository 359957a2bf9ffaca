"""What a model's own package says of the images that it takes, against that package's own function."""

import json
import subprocess

import numpy as np
import pytest

from inferometer.errors import UsageError
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.models.contract import ModelRequest
from inferometer.models.datasets.decoding import pixels
from inferometer.models.datasets.preprocessing import settled
from inferometer.models.images import default_photos
from inferometer.models.sources import own_preprocessing, resolve
from inferometer.models.sources.torch_processors import read
from inferometer.models.step_cache import StepCache
from inferometer.worker.evaluation import normalised
from inferometer.worker.protocol import Evaluate
from steprunner import RealSteps, interpreter


def own_of(name, tmp_path):
    steps = StepCache(RealSteps(tmp_path), ArtifactCache(tmp_path / "cache"), lambda text: None)
    return own_preprocessing(resolve(ModelRequest(name)), steps)


@pytest.mark.environment
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("mobilenet_v2", {"order": "RGB", "scale": 1 / 127.5, "mean": [1.0] * 3, "std": [1.0] * 3}),
        ("resnet50", {"order": "BGR", "scale": 1.0, "mean": [103.939, 116.779, 123.68], "std": [1.0] * 3}),
        (
            "densenet121",
            {"order": "RGB", "scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        ),
        ("mobilenet_v3_large", {"order": "RGB", "scale": 1.0, "mean": [0.0] * 3, "std": [1.0] * 3}),
    ],
)
def test_keras_applications_say_it_by_their_function(name, fields, tmp_path):
    found = own_of(name, tmp_path)
    assert found.pop("order") == fields.pop("order")
    assert set(found) == set(fields)
    for key, value in fields.items():
        assert found[key] == pytest.approx(value, rel=1e-5), key


IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.mark.environment
def test_timm_and_torchvision_say_it_of_their_weights(tmp_path):
    found = own_of("timm:resnet18", tmp_path)
    assert found == {"crop": 0.95, "fit": "crop", "resize": "bicubic", **IMAGENET}
    found = own_of("torchvision:resnet18", tmp_path)
    assert found == {"crop": 224 / 256, "resize": "bilinear", **IMAGENET}
    assert own_of("torchvision:retinanet_resnet50_fpn", tmp_path) is None


_TRANSFORMS = """
import sys, numpy, timm, torchvision
from PIL import Image
image = Image.open(sys.argv[1]).convert("RGB")
config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg("resnet18").to_dict())
own = timm.data.create_transform(**config, is_training=False)
theirs = torchvision.models.get_model_weights("resnet50").DEFAULT.transforms()
numpy.savez(sys.argv[2], timm=own(image).numpy(), torchvision=theirs(image).numpy())
"""


@pytest.mark.environment
@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet50"])
def test_a_photo_reaches_the_model_as_its_package_would_feed_it(name, tmp_path):
    photo = default_photos()[1]  # wider than high
    python = interpreter("torch-models", tmp_path / "environment.log")
    subprocess.run([python, "-c", _TRANSFORMS, photo, tmp_path / "theirs.npz"], check=True)
    spec = {"name": "image", "shape": (None, 3, 224, 224), "dtype": "float32"}
    wanted = settled("", own_of(name, tmp_path), spec, "NCHW")
    asked = Evaluate(1, [], "NHWC", "float32", wanted.affine, 0)
    ours = normalised(pixels(photo, wanted)[None], asked)[0].transpose(2, 0, 1)
    with np.load(tmp_path / "theirs.npz") as file:
        np.testing.assert_allclose(ours, file[name.partition(":")[0]], atol=2e-6)


def folder(tmp_path, config):
    (tmp_path / "preprocessor_config.json").write_text(
        config if isinstance(config, str) else json.dumps(config)
    )
    return tmp_path


def test_transformers_say_it_in_a_file(tmp_path):
    assert read(tmp_path) is None
    vit = {
        "size": {"height": 224, "width": 224},
        "resample": 2,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    assert read(folder(tmp_path, vit)) == {
        "scale": 1 / 255, "resize": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3, "fit": "squash",
    }  # fmt: skip
    clip = {
        "size": {"shortest_edge": 256},
        "crop_size": {"height": 224},
        "do_center_crop": True,
        "resample": 3,
    }
    assert read(folder(tmp_path, clip)) == {"scale": 1 / 255, "resize": "bicubic", "crop": 0.875}
    assert read(folder(tmp_path, {"do_rescale": False, "crop_pct": 0.9})) == {
        "scale": 1.0, "resize": "bilinear", "crop": 0.9,
    }  # fmt: skip


@pytest.mark.parametrize(
    "config", ["no json", "[]", '{"rescale_factor": "x"}', '{"image_mean": [0], "image_std": [0]}']
)
def test_a_file_that_means_nothing_is_one_line(tmp_path, config):
    with pytest.raises(
        UsageError, match=r"preprocessor_config.json cannot be used: .*; say it with --preprocess"
    ):
        read(folder(tmp_path, config))
