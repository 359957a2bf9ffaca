"""What a model's file says before anything is computed, of every kind, in its real environment: inputs, and how large it is."""

from pathlib import Path

import pytest

from inferometer.errors import InputError, UsageError
from inferometer.models.contract import ModelRequest, ModelSize
from inferometer.models.images import default_photos
from inferometer.models.inspection import inspect
from inferometer.models.sources import resolve
from steprunner import write_onnx

pytestmark = pytest.mark.environment

SUPPORT = Path(__file__).parents[1] / "support"
# a convolution, a depthwise one and a dense layer of the model "cnn"
CNN_MACS = 16 * 16 * 8 * 27 + 16 * 16 * 8 * 9 + 8 * 8 * 16 * 10
NETWORKS = """
import torch
from torch import nn


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.lstm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LSTM(8, 5, batch_first=True)

    def forward(self, x):
        return self.lstm(self.attention(x, x, x)[0])[0]


def attending():
    return Attending(), torch.randn(2, 6, 8)


def halved():
    return nn.Sequential(nn.Conv1d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6, 2)).half(), torch.randn(2, 3, 8).half()
"""


@pytest.fixture(scope="module")
def looked_at(steps, model_cache):
    def look(model, **options):
        request = ModelRequest(str(model), **options)
        return inspect(request, resolve(request), steps, model_cache, progress=lambda text: None)

    return look


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("counted"), "onnx_files.py", "counted_onnx.py")


def test_every_form_of_one_model_counts_the_same(looked_at, reach, tiny):
    path = tiny("cnn")
    prepared = reach(path, "savedmodel", "exported", "onnx", "tflite")
    assert prepared.info.macs == CNN_MACS
    found = {
        form: looked_at(made.path, trust_model=form == "exported")
        for form, made in prepared.artifacts.items()
    }
    found["keras"] = looked_at(path)
    assert {form: each.size.macs for form, each in found.items()} == dict.fromkeys(found, CNN_MACS)
    own = (
        8 * 27 + 4 * 8 + 8 * 9 + 4 * 8 + 10241 + 9
    )  # with the statistics of batch norms, which ONNX may fold
    assert found["keras"].size.parameters == found["savedmodel"].size.parameters == own
    assert all(10_000 < each.size.parameters < 11_000 for each in found.values())
    assert found["onnx"].inputs[0]["shape"] == [None, 3, 32, 32]


def test_recurrent_transposed_and_other_products_of_onnx(looked_at, onnx):
    assert looked_at(onnx / "lstm.onnx").size == ModelSize(60 + 100, 7 * (60 + 100))
    mixed = 4 * 4 * 2 * (3 * 2 * 2) + 75 * 6 + 6 * 4
    assert looked_at(onnx / "mixed.onnx").size == ModelSize(24 + 450 + 24, mixed)
    fixed = looked_at(onnx / "fixed.onnx")
    assert (fixed.fixed_batch, fixed.size.macs) == (3, 600 * 4)  # of one row


def test_a_loop_is_not_counted_and_said_to_be_unknown(looked_at, onnx):
    assert looked_at(onnx / "loop.onnx").size == ModelSize(16, None)


def test_attention_recurrence_and_halves_of_torch(looked_at, tmp_path):
    (tmp_path / "nets.py").write_text(NETWORKS)
    attending = looked_at(f"{tmp_path / 'nets.py'}:attending", trust_model=True).size.macs
    attention = 4 * 6 * 8 * 8 + 2 * 6 * 6 * 8
    assert attending == attention + 6 * 4 * 5 * (8 + 5)
    halved = looked_at(f"{tmp_path / 'nets.py'}:halved", trust_model=True)
    assert halved.size.macs == 6 * 4 * 9 + 24 * 2 and halved.inputs[0]["dtype"] == "float32"


def test_weights_of_a_hub_are_not_fetched_to_look_at_a_model(looked_at, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    found = looked_at("timm:test_resnet", weights="pretrained")
    assert found.size.parameters and found.size.macs


def test_photos_and_ranges_that_fit_no_input(looked_at, onnx):
    assert looked_at(onnx / "image.onnx", images=default_photos()).size.macs == 14 * 10 * 5 * 27
    with pytest.raises(UsageError, match="needs a model with one image input, this one takes x float32"):
        looked_at(onnx / "fixed.onnx", images=default_photos())
    with pytest.raises(InputError, match="unknown inputs: idx"):
        looked_at(onnx / "image.onnx", input_ranges={"idx": (0, 1)})
