"""What a run's directory is called where none is given."""

import pytest

from inferometer.storage.destinations import default_out


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("resnet50", "resnet50"),
        ("models/net.onnx", "net"),
        ("timm:resnet18", "resnet18"),
        ("hf:folders/tiny", "tiny"),
        ("code/net.py:build", "net.build"),
    ],
)
def test_a_run_is_called_after_its_time_and_model(model, name):
    assert default_out(model).name.partition("-")[2].partition("-")[2] == name
