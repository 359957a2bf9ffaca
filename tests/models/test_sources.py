import json
import zipfile
from pathlib import Path

import pytest

from inferometer.errors import UsageError
from inferometer.models.catalogue import APPLICATIONS, canonical
from inferometer.models.contract import FORMS, ModelRequest
from inferometer.models.sources import forms_reachable, resolve


def keras_file(path, config=None):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config or {"class_name": "Sequential"}))
    return path


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("mobilenet_v3_large", "mobilenet_v3_large"),
        ("MobileNetV3Large", "mobilenet_v3_large"),
        ("mobilenet-v3-large", "mobilenet_v3_large"),
        ("ResNet50V2", "resnet50_v2"),
        ("EfficientNetV2B0", "efficientnet_v2_b0"),
        ("convnext_xlarge", "convnext_xlarge"),
    ],
)
def test_names_are_found_in_any_spelling(given, name):
    assert canonical(given) == name


def test_every_architecture_is_its_own_canonical_name():
    assert {canonical(name) for name in APPLICATIONS} == set(APPLICATIONS)
    assert {canonical(application.attribute) for application in APPLICATIONS.values()} == set(APPLICATIONS)


def test_a_typo_names_the_nearest():
    with pytest.raises(
        UsageError, match=r"unknown model 'mobilenet_v3_lrge'; did you mean 'mobilenet_v3_large'\?"
    ):
        resolve(ModelRequest("mobilenet_v3_lrge"))


def test_an_architecture_reaches_every_form():
    reachable = forms_reachable(resolve(ModelRequest()))
    assert tuple(reachable) == FORMS
    assert reachable["onnx"] == ["tf", "torch", "onnxrt"]
    assert reachable["savedmodel"] == ["tf"]


def test_an_onnx_file_reaches_onnx_only_and_says_why(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"x")
    reachable = forms_reachable(resolve(ModelRequest(str(tmp_path / "m.onnx"))))
    assert reachable["onnx"] == ["onnxrt"]
    assert reachable["keras"] == "no exact conversion from ONNX to a Keras file"
    assert reachable["savedmodel"] == "no exact conversion from ONNX to a SavedModel"
    assert reachable["exported"] == "no exact conversion from ONNX to a torch exported program"


def test_a_keras_file_reaches_every_form(tmp_path):
    path = keras_file(tmp_path / "mine.keras")
    assert resolve(ModelRequest(str(path))).name == "mine"
    assert forms_reachable(resolve(ModelRequest(str(path))))["exported"] == ["tf", "torch"]


@pytest.mark.parametrize("name", ["absent.onnx", "absent.keras"])
def test_a_missing_model_file_is_one_line(tmp_path, name):
    with pytest.raises(UsageError, match="does not exist"):
        resolve(ModelRequest(str(tmp_path / name)))


def test_a_directory_is_no_model(tmp_path):
    (tmp_path / "m.onnx").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        resolve(ModelRequest(str(tmp_path / "m.onnx")))


def test_a_file_that_is_no_keras_file(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"not a zip")
    with pytest.raises(UsageError, match="is no Keras file"):
        resolve(ModelRequest(str(path)))


def test_a_lambda_layer_at_any_depth_needs_trust(tmp_path):
    config = {
        "class_name": "Functional",
        "config": {"layers": [{"config": {"layers": [{"class_name": "Lambda"}]}}]},
    }
    path = keras_file(tmp_path / "m.keras", config)
    with pytest.raises(UsageError, match="--trust-model"):
        resolve(ModelRequest(str(path)))
    assert resolve(ModelRequest(str(path), trust_model=True)).kind == "keras"


def test_weights_must_fit_the_source(tmp_path):
    onnx = tmp_path / "m.onnx"
    onnx.write_bytes(b"x")
    with pytest.raises(UsageError, match="has its own weights"):
        resolve(ModelRequest(str(onnx), weights="imagenet"))
    with pytest.raises(UsageError, match="no imagenet weights"):
        resolve(ModelRequest(str(keras_file(tmp_path / "m.keras")), weights="imagenet"))
    with pytest.raises(UsageError, match=r"weights file .*absent.h5 does not exist"):
        resolve(ModelRequest(weights=str(tmp_path / "absent.h5")))
    (tmp_path / "w.pt").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"must end in .weights.h5, .h5 or .keras"):
        resolve(ModelRequest(weights=str(tmp_path / "w.pt")))
    (tmp_path / "w.weights.h5").write_bytes(b"x")
    assert resolve(ModelRequest(weights=str(tmp_path / "w.weights.h5"))).kind == "application"


def test_inputs_are_looked_at_before_anything_is_built(tmp_path):
    onnx = tmp_path / "m.onnx"
    onnx.write_bytes(b"x")
    with pytest.raises(UsageError, match=r"input file .*absent.npz does not exist"):
        resolve(ModelRequest(str(onnx), inputs=tmp_path / "absent.npz"))
    with pytest.raises(UsageError, match="is not an image"):
        resolve(ModelRequest(images=(onnx,)))
    with pytest.raises(UsageError, match="both give the inputs"):
        resolve(ModelRequest(str(onnx), inputs=onnx, images=(onnx,)))


@pytest.mark.parametrize(
    "options", [{"shapes": {"n": 1}}, {"input_ranges": {"x": (0, 1)}}, {"inputs": Path("x.npz")}]
)
def test_options_for_own_models_are_refused_for_architectures(options):
    with pytest.raises(UsageError, match="--image"):
        resolve(ModelRequest(**options))


def test_photos_made_again_have_equal_bytes(tmp_path):
    from inferometer.models import photo_inputs
    from inferometer.models.artifact_cache import ArtifactCache
    from inferometer.models.step_cache import StepCache

    def stack(folder):
        steps = StepCache(lambda *_: {}, ArtifactCache(tmp_path / folder), lambda text: None)
        return photo_inputs.stack(steps, None, 16, 16)[0].read_bytes()

    assert stack("1") == stack("2")
