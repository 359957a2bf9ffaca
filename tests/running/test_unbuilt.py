"""Which environments a run says that it will build."""

import pytest

from inferometer.frameworks.environments import environments_folder
from inferometer.planning.request import make_request
from inferometer.running import unbuilt
from inferometer.running.converted import convert
from inferometer.running.run import prepare_run
from steprunner import interpreter, write_onnx

pytestmark = pytest.mark.environment


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Return what is told of a model where no environment is built."""
    for name in ("onnxrt", "torch-models", "torch"):
        interpreter(name, tmp_path / "log")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "environments").symlink_to(environments_folder())
    monkeypatch.setenv("INFEROMETER_CACHE", str(cache))
    monkeypatch.setattr(unbuilt, "is_built", lambda item: False)

    def names(model, framework):
        request = make_request(model, frameworks=framework, device="cpu")
        return request, [item.name for item in unbuilt.unbuilt(prepare_run(request))]

    return names


def test_what_converts_is_built_only_where_the_cache_lacks_a_form(told, monkeypatch):
    request, names = told("timm:test_resnet", "onnxrt")
    assert names == ["onnxrt", "torch-models", "torch"]
    convert(request, {"onnx"}, {}, lambda text: None)
    assert told("timm:test_resnet", "onnxrt")[1] == ["onnxrt"]
    monkeypatch.setattr(unbuilt, "is_built", lambda item: True)
    assert told("timm:test_resnet", "onnxrt")[1] == []


def test_what_reads_a_file_in_each_run_is_built_for_each(told, tmp_path):
    model = str(write_onnx(tmp_path) / "image.onnx")
    request, names = told(model, "openvino")
    assert names == ["openvino", "onnxrt"]
    convert(request, {"onnx"}, {}, lambda text: None)
    assert told(model, "openvino")[1] == ["openvino", "onnxrt"]
