from pathlib import Path

import pytest

from inferometer.api import make_request
from inferometer.errors import UsageError
from inferometer.models.contract import ModelRequest
from inferometer.records import Protocol
from inferometer.request import RunRequest, from_builtins, parse_batch_sizes, to_builtins


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("8", (8,)),
        ("64,8,16,8", (8, 16, 64)),
        ("8..512", (8, 16, 32, 64, 128, 256, 512)),
        ("1,8..20", (1, 8, 16)),
        (" 3 , 5 ", (3, 5)),
    ],
)
def test_batch_sizes(text, sizes):
    assert parse_batch_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "x", "8,,16", "8..4", "0..8", "1.5", "8...16"])
def test_bad_batch_sizes_are_quoted(text):
    with pytest.raises(UsageError, match="batch size"):
        parse_batch_sizes(text)


@pytest.mark.parametrize(
    ("field", "value", "option"),
    [
        ("images", 0, "--images"),
        ("loops", 0, "--loops"),
        ("warmup", -1, "--warmup"),
        ("rounds", 0, "--rounds"),
        ("threads", -2, "--threads"),
        ("timeout_s", 0, "--timeout"),
        ("timeout_s", float("inf"), "--timeout"),
        ("timeout_s", float("nan"), "--timeout"),
        ("budget_s", -1.0, "--budget"),
        ("budget_s", float("nan"), "--budget"),
        ("seed", -1, "--seed"),
    ],
)
def test_numbers_that_cannot_be_measured(field, value, option):
    with pytest.raises(UsageError, match=option):
        RunRequest(protocol=Protocol(**{field: value})).check()


@pytest.mark.parametrize(
    ("sizes", "text"), [((0,), "at least 1"), ((-8,), "at least 1"), ((1024,), "--images to 1024")]
)
def test_batch_sizes_that_do_not_fit(sizes, text):
    with pytest.raises(UsageError, match=text):
        RunRequest(batch_sizes=sizes).check()


def test_a_request_survives_storage():
    model = ModelRequest(
        "m.onnx",
        shapes={"n": 4},
        input_ranges={"ids": (0.0, 9.0)},
        images=(Path("a.jpg"),),
        inputs=Path("x.npz"),
    )
    request = RunRequest(model=model, batch_sizes=(1, 2), python={"onnxrt": Path("py")}, keep_trying=True)
    import json

    assert from_builtins(json.loads(json.dumps(to_builtins(request)))) == request


def test_a_preset_yields_to_what_is_given():
    request = make_request(
        ModelRequest(), preset="report", batch_sizes=None, protocol={"images": 64, "loops": None}
    )
    assert request.protocol.images == 64 and request.protocol.loops == 10 and request.protocol.warmup == 50
    assert request.batch_sizes == (8, 16, 32, 64)
    assert make_request(ModelRequest(), preset="report", batch_sizes=None, protocol={}).batch_sizes[-1] == 512
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        make_request(ModelRequest(), preset="quik", batch_sizes=None, protocol={})


def test_a_request_means_the_same_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python").symlink_to("/usr/bin/env")
    asked = ModelRequest(
        model="net.onnx", weights="w.h5", images=(Path("a.jpg"), Path("/b")), inputs=Path("in.npz")
    )
    request = make_request(
        asked,
        preset="quick",
        batch_sizes="1",
        protocol={},
        python={"onnxrt": Path("python")},
        powercap="caps",
    )
    monkeypatch.chdir("/")
    stored = from_builtins(to_builtins(request))
    assert stored.model.model == str(tmp_path / "net.onnx") and stored.model.weights == str(tmp_path / "w.h5")
    assert stored.model.images == (tmp_path / "a.jpg", Path("/b"))
    assert stored.model.inputs == tmp_path / "in.npz"
    assert stored.python == {"onnxrt": tmp_path / "python"}  # a venv's interpreter is a link: not followed
    assert stored.powercap == str(tmp_path / "caps")


def test_names_of_models_and_weights_are_no_paths():
    request = make_request(
        ModelRequest(model="resnet50", weights="imagenet"), preset="quick", batch_sizes=None, protocol={}
    )
    assert (request.model.model, request.model.weights, request.powercap) == ("resnet50", "imagenet", "")
    assert request.model.images is None and request.model.inputs is None
