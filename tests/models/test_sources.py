import json
import zipfile
from pathlib import Path

import pytest

from inferometer.errors import UsageError
from inferometer.models.catalogue import APPLICATIONS, canonical
from inferometer.models.contract import FORMS, ModelRequest
from inferometer.models.routes import forms_reachable, route_words, routes
from inferometer.models.sources import resolve


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


def test_an_onnx_file_reaches_every_form_but_keras(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"x")
    reachable = forms_reachable(resolve(ModelRequest(str(tmp_path / "m.onnx"))))
    assert reachable["onnx"] == ["onnxrt"]
    assert reachable["keras"] == "needs a Keras file, and no conversion leads there from an ONNX file"
    assert reachable["savedmodel"] == ["onnxrt", "onnx2tf"]
    assert reachable["exported"] == ["onnxrt", "torch-models"]
    assert reachable["tflite"] == ["onnxrt", "onnx2tf", "tf", "litert"]
    assert reachable["jaxexport"] == ["onnxrt", "torch-models", "torchax"]


def test_a_pytorch_architecture_reaches_every_form_but_keras():
    source = resolve(ModelRequest("timm:resnet18"))
    assert source.name == "resnet18"
    reachable = forms_reachable(source)
    assert reachable["exported"] == ["torch-models"]
    assert reachable["onnx"] == ["torch-models", "torch", "onnxrt"]
    assert (
        reachable["keras"]
        == "needs a Keras file, and no conversion leads there from a torch exported program"
    )
    assert reachable["tflite"] == ["torch-models", "litert-torch", "litert"]
    assert [edge.via for edge in routes(source.form, "tflite")[1]] == ["", "onnx2tf", ""]
    assert routes("keras", "tflite")[0][0].end == "savedmodel"  # where TensorFlow's own converter starts
    shortest = routes(source.form, "savedmodel")[0]
    assert route_words(source, shortest) == "exported -> onnx -> savedmodel (onnx2tf)"


def test_routes_come_shortest_first_and_pass_no_form_twice():
    found = routes("keras", "tflite")
    assert [len(route) for route in found] == sorted(len(route) for route in found)
    assert len(found) > 1
    for route in found:
        forms = ["keras", *(edge.end for edge in route)]
        assert len(set(forms)) == len(forms) and forms[-1] == "tflite"


def weights_file(path, code=False):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"x")
        if code:
            archive.writestr("m/code/__torch__.py", "x")
    return path


def test_weights_need_their_architecture(tmp_path):
    path = weights_file(tmp_path / "m.pt")
    with pytest.raises(
        UsageError, match="holds weights without their architecture; give it: --architecture timm:NAME"
    ):
        resolve(ModelRequest(str(path)))
    source = resolve(ModelRequest(str(path), architecture="timm:resnet18"))
    assert (source.kind, source.architecture, source.name) == ("torch", "timm:resnet18", "m")
    with pytest.raises(UsageError, match="unknown architecture 'resnet18'; give timm:NAME"):
        resolve(ModelRequest(str(path), architecture="resnet18"))
    with pytest.raises(UsageError, match="--architecture is for a file of PyTorch weights"):
        resolve(ModelRequest("mobilenet_v2", architecture="timm:resnet18"))


def test_a_script_is_told_from_weights_by_its_code(tmp_path):
    assert resolve(ModelRequest(str(weights_file(tmp_path / "m.pt", code=True)))).kind == "torchscript"


def test_code_needs_trust(tmp_path):
    (tmp_path / "net.py").write_text("raise SystemExit")
    name = f"{tmp_path / 'net.py'}:build"
    with pytest.raises(UsageError, match=r"its build\(\) would run; give --trust-model"):
        resolve(ModelRequest(name))
    assert resolve(ModelRequest(name, trust_model=True)).name == "net.build"
    assert ModelRequest("net.py:build").located().model == f"{Path('net.py').absolute()}:build"


def test_a_known_kind_that_cannot_be_had_says_what_to_give(tmp_path):
    (tmp_path / "m.engine").write_bytes(b"x")
    with pytest.raises(
        UsageError, match=r"m\.engine is a TensorRT engine, built for one GPU; give the ONNX file"
    ):
        resolve(ModelRequest(str(tmp_path / "m.engine")))
    with pytest.raises(UsageError, match=r"model .*gone.xyz does not exist"):
        resolve(ModelRequest(str(tmp_path / "gone.xyz")))


def test_names_that_are_no_model_say_what_to_give(tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert/config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"bert is no model that can be measured; give hf:.*bert"):
        resolve(ModelRequest(str(tmp_path / "bert")))
    (tmp_path / "models/net").mkdir(parents=True)
    (tmp_path / "models/net/saved_model.pb").touch()
    with pytest.raises(UsageError, match=r"models is no model that can be measured; give .*models/net"):
        resolve(ModelRequest(str(tmp_path / "models")))
    (tmp_path / "net.mlpackage").mkdir()  # a folder, as Core ML has it
    with pytest.raises(
        UsageError, match=r"net.mlpackage is a Core ML model; give the model that it was made from"
    ):
        resolve(ModelRequest(str(tmp_path / "net.mlpackage")))
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/.data/extern_modules", "torch")
        archive.writestr("net/.data/ts_code/code/net.py", "")
    with pytest.raises(
        UsageError, match=r"net.pt is a torch.package archive, which runs code .*PackageImporter"
    ):
        resolve(ModelRequest(str(tmp_path / "net.pt")))
    with pytest.raises(UsageError, match="model gone/ does not exist"):
        resolve(ModelRequest("gone/"))
    with pytest.raises(UsageError, match="unknown architecture 'timm:'; give timm:NAME"):
        resolve(ModelRequest("timm:"))


def test_pytorch_names_are_not_taken_for_typing_errors():
    with pytest.raises(UsageError, match="timm:resnet18 or torchvision:resnet18") as raised:
        resolve(ModelRequest("resnet18"))
    assert "did you mean" not in str(raised.value)


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


@pytest.mark.parametrize("suffix", ["onnx", "keras", "h5", "pt2", "pt", "tflite"])
def test_a_file_that_cannot_be_read_is_called_that_and_no_model_of_another_kind(tmp_path, suffix):
    if not Path("/proc/self/mem").exists():
        pytest.skip("no file at hand that the system refuses to read")
    path = tmp_path / f"m.{suffix}"
    path.symlink_to("/proc/self/mem")
    with pytest.raises(
        UsageError, match=rf"model file .*m\.{suffix} cannot be read: (Input/output|Bad address)"
    ):
        resolve(ModelRequest(str(path)))


def test_a_link_is_called_by_its_own_name(tmp_path):
    (tmp_path / "0a1b").write_bytes(b"x")
    (tmp_path / "net.onnx").symlink_to("0a1b")
    source = resolve(ModelRequest(str(tmp_path / "net.onnx")))
    assert (source.kind, source.name, source.file) == ("onnx", "net", tmp_path / "net.onnx")


def test_a_saved_model_with_a_pipe_or_a_device_in_it_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / "elsewhere").symlink_to("nowhere")  # which TensorFlow never opens
    resolve(ModelRequest(str(tmp_path)))
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables/variables.index").symlink_to("/dev/zero")
    with pytest.raises(
        UsageError, match=r"has variables\.index, which is neither a file nor a folder; take it out"
    ):
        resolve(ModelRequest(str(tmp_path)))


def test_a_file_that_is_no_keras_file(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"not a zip")
    with pytest.raises(UsageError, match="is no Keras file"):
        resolve(ModelRequest(str(path)))


def test_archives_that_are_odd_are_one_line_and_not_unpacked(tmp_path):
    path = tmp_path / "m.keras"

    def refused():
        with pytest.raises(UsageError) as raised:
            resolve(ModelRequest(str(path)))
        assert "\n" not in str(raised.value)
        return str(raised.value)

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (100 << 20))
    assert "unpacks to 0.1 GiB from 0 MiB" in refused()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
    assert "nested without end" in refused()
    keras_file(path)
    damaged = bytearray(path.read_bytes())
    damaged[6] |= 1  # encrypted, in the member's own header
    damaged[damaged.rindex(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(bytes(damaged))
    assert "is an encrypted archive" in refused()


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
    assert resolve(ModelRequest(weights=str(tmp_path / "w.weights.h5"))).kind == "keras"


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
