from pathlib import Path

import pytest

import inferometer
from inferometer.errors import UsageError
from inferometer.models.contract import ModelRequest
from inferometer.planning.request import RunRequest, from_builtins, make_request, to_builtins
from inferometer.planning.values import parse_batch_sizes
from inferometer.records import Protocol


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


@pytest.mark.parametrize(
    "text", ["", "x", "8,,16", "8..4", "0..8", "1.5", "8...16", pytest.param("9" * 5000, id="5000 digits")]
)
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
        ("images", 10**21, "--images 1000000000000000000000 is too large: give at most 1000000"),
        pytest.param("images", 10**5000, "--images of more than 30 digits is too large", id="5000 digits"),
        ("loops", 10**8, "--loops 100000000 is too large"),
        ("warmup", 10**8, "--warmup"),
        ("rounds", 99_999_999, "--rounds 99999999 is too large: give at most 10000"),
        ("most_rounds", 99_999_999, "most_rounds"),
        ("threads", 10**6, "--threads"),
        ("seed", 2**32, "--seed 4294967296 is too large: give at most 4294967295"),
    ],
)
def test_numbers_that_cannot_be_measured(field, value, option):
    with pytest.raises(UsageError, match=option):
        RunRequest(protocol=Protocol(**{field: value})).check()


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((0,), "at least 1"),
        ((10**9,), "--batch-sizes 1000000000 is too large"),
        ((-8,), "at least 1"),
        ((1024,), "--images to 1024"),
    ],
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
    request = make_request(preset="study", batch_sizes=None, images=64, loops=None)
    assert request.protocol.images == 64 and request.protocol.loops == 10 and request.protocol.warmup == 50
    assert request.batch_sizes == (8, 16, 32, 64)
    assert make_request(preset="study").batch_sizes[-1] == 512
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        make_request(preset="quik")


def test_a_request_means_the_same_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python").symlink_to("/usr/bin/env")
    request = make_request(
        "net.onnx",
        weights="w.h5",
        image=("a.jpg", "/b"),
        inputs="in.npz",
        preset="quick",
        batch_sizes="1",
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


@pytest.mark.parametrize("given", [{"weights": ""}, {"image": ""}, {"image": ["a.jpg", ""]}])
def test_an_empty_path_of_a_program_is_refused(given):
    with pytest.raises(UsageError, match="is empty; give"):
        inferometer.run(frameworks="onnxrt", device="cpu", **given)
    for read in (inferometer.load, inferometer.resume):
        with pytest.raises(UsageError, match="is empty; give"):
            read("")


def test_names_of_models_and_weights_are_no_paths():
    request = make_request("resnet50", weights="imagenet", preset="quick")
    assert (request.model.model, request.model.weights, request.powercap) == ("resnet50", "imagenet", "")
    assert request.model.images is None and request.model.inputs is None


def test_numbers_of_numpy_are_stored_as_numbers():
    import json

    import numpy as np

    request = make_request(
        "net.onnx",
        seed=np.int64(3),
        image=None,
        inputs=None,
        shapes={"n": np.int32(4)},
        input_ranges={"x": (np.float32(0), np.float32(1))},
        preset="quick",
        batch_sizes=2 ** np.arange(3),
        images=np.int64(64),
        budget_s=np.float32(2),
    )
    assert request.batch_sizes == (1, 2, 4) and request.protocol.images == 64
    assert from_builtins(json.loads(json.dumps(to_builtins(request)))) == request


@pytest.mark.parametrize("sizes", [8, [8], (8, 8), "8", range(8, 9)])
def test_batch_sizes_as_a_program_gives_them(sizes):
    assert make_request(preset="quick", batch_sizes=sizes).batch_sizes == (8,)


@pytest.mark.parametrize(
    ("sizes", "protocol", "text"),
    [
        ([1.0, 8.0], {}, "batch size 1.0 is no whole number"),
        (2.5, {}, "batch size 2.5 is no whole number"),
        ([None], {}, "batch size None"),
        (object(), {}, "batch size <object"),
        ([], {}, "--batch-sizes is empty; give a number"),
        ("8", {"max_batch": ()}, "--max-batch is empty; give a number"),
        ("8", {"instances": []}, "--instances is empty; give a number"),
        ("8", {"images": 64.0}, "--images 64.0 is no whole number"),
        ("8", {"timeout_s": "soon"}, "--timeout 'soon' is no number"),
        ("8", {"timeout_s": 10**400}, "--timeout 1000.* is no number"),
    ],
)
def test_what_is_no_such_number_is_one_line(sizes, protocol, text):
    with pytest.raises(UsageError, match=text):
        make_request(preset="quick", batch_sizes=sizes, **protocol)


@pytest.mark.parametrize("tolerance", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_tolerance_is_a_share(tolerance):
    with pytest.raises(
        UsageError, match=r"--tolerance .* is no relative error: give a share above 0, 1 at most"
    ):
        RunRequest(tolerance=tolerance).check()
    RunRequest(tolerance=0.05).check()
    assert from_builtins(to_builtins(RunRequest(tolerance=0.05))).tolerance == 0.05


def test_numbers_that_are_asked_for_stay():
    asked, preset = make_request(rounds=4, loops=3).protocol, make_request().protocol
    assert (asked.most_rounds, asked.least_s) == (0, 0.0)
    assert preset.most_rounds > 0 and preset.least_s > 0
