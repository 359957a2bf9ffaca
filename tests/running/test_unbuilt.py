"""Which environments a run says that it has to build."""

import numpy as np
import pytest
from PIL import Image

from inferometer.frameworks.environments import environments_folder
from inferometer.models.conversions import Conversions
from inferometer.planning.request import make_request
from inferometer.running import unbuilt
from inferometer.running.converted import convert
from inferometer.running.run import prepare_run
from steprunner import interpreter, write_onnx

pytestmark = pytest.mark.environment


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of models of its own, beside the environments that there are."""
    folder = tmp_path_factory.mktemp("cache")
    for name in ("onnxrt", "torch-models", "torch"):
        interpreter(name, folder / "log")
    (folder / "environments").symlink_to(environments_folder())
    return folder


@pytest.fixture
def told(cache, monkeypatch):
    """Return what is told of a request where no environment is built."""
    monkeypatch.setenv("INFEROMETER_CACHE", str(cache))
    monkeypatch.setattr(unbuilt, "is_built", lambda item: False)

    def names(model, **options):
        request = make_request(model, **{"device": "cpu"} | options)
        found = unbuilt.unbuilt(prepare_run(request))
        return [item.name for item in found.needed], [item.name for item in found.converting]

    return names


def converted(model, *forms):
    convert(make_request(model, device="cpu"), {*forms}, {}, lambda text: None)


def test_what_converts_is_built_only_where_the_cache_lacks_a_form(told, monkeypatch):
    model = "timm:test_resnet"
    assert told(model, frameworks="onnxrt") == (["onnxrt"], ["torch-models", "torch"])
    converted(model, "onnx")
    assert told(model, frameworks="onnxrt") == (["onnxrt"], [])
    assert "torchax" in told(model, frameworks="onnxrt,jax")[1], "jax takes another form"
    monkeypatch.setattr(unbuilt, "is_built", lambda item: True)
    assert told(model, frameworks="onnxrt") == ([], [])


def test_what_knows_a_model_s_own_preprocessing_is_told_where_it_was_not_asked_before(told, tmp_path):
    (tmp_path / "images" / "0").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "images" / "0" / "black.png")
    model, images = "timm:test_resnet", str(tmp_path / "images")
    converted(model, "onnx")
    assert told(model, frameworks="onnxrt", dataset=images) == (["onnxrt"], ["torch-models", "torch"])


def test_what_reads_a_file_in_each_run_is_built_for_each(told, tmp_path):
    model = str(write_onnx(tmp_path) / "image.onnx")
    converted(model, "onnx")
    assert told(model, frameworks="openvino") == (["openvino"], ["onnxrt"])
    assert told(model, frameworks="openvino,onnxrt") == (["openvino", "onnxrt"], [])
    versioned = told(model, frameworks="onnxrt@1.22.0,onnxrt@1.21.0")
    assert versioned == (["onnxrt", "onnxrt"], ["onnxrt"]), "no other version reads it"


def test_what_puts_rows_under_load_is_told(told, tmp_path):
    model = str(write_onnx(tmp_path) / "image.onnx")
    assert told(model, frameworks="onnxrt", scenarios="single-stream")[0] == ["onnxrt", "loadgen"]


def test_a_shorter_way_that_would_be_tried_first_is_no_failure(told, monkeypatch):
    """A step that is not run is no step that failed: a longer way, whose forms the cache has, is not taken for the model's."""
    model = "timm:test_resnet"
    converted(model, "onnx")
    monkeypatch.setattr(
        Conversions, "_made", lambda self, edge, start: self.steps.run("torch", "any", {}) and start
    )
    assert told(model, frameworks="onnxrt")[1] == ["torch-models", "torch"]


def test_photos_calibrate_a_conversion_ahead_of_a_run_as_they_do_in_it(told, tmp_path):
    (tmp_path / "images" / "0").mkdir(parents=True)
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / "0" / f"{number}.png")
    images = str(tmp_path / "images")
    asked = {"frameworks": "onnxrt", "precisions": "int8", "calibration": f"{images}/0", "dataset": images}
    options = asked | {"preprocess": "scale=0.0039215686,crop=1"}
    convert(
        make_request("timm:test_resnet", device="cpu", **options),
        {"onnx", "onnx-int8"},
        {},
        lambda text: None,
    )
    assert told("timm:test_resnet", **options) == (["onnxrt"], [])
