import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import inferometer
from inferometer.errors import EnvironmentBuildError, ModelError
from inferometer.models.catalogue import APPLICATIONS
from inferometer.models.contract import ModelRequest, TensorSpec
from inferometer.models.images import default_photos
from inferometer.models.prepare import prepare
from inferometer.models.sources import resolve
from inferometer.models.step_cache import read_arrays
from inferometer.worker.parity import LIMITS
from steprunner import interpreter

pytestmark = pytest.mark.environment
FORMS = ("keras", "savedmodel", "exported", "onnx")


@pytest.fixture
def made(steps, model_cache, tiny):
    def make(kind, forms=FORMS, runner=steps, cache=model_cache, seed=0, **options):
        request = ModelRequest(str(tiny(kind, seed)), **options)
        return prepare(request, resolve(request), set(forms), runner, cache, progress=lambda text: None)

    return make


def test_a_model_that_keras_quantised_is_measured_as_it_is(made):
    prepared = made("quantised", forms={"keras"})
    assert prepared.stored.label == "stored-mixed"
    assert prepared.info.conversions["keras"]["holds"] == {"int8": 1, "fp32": 1}


def test_a_model_reaches_every_form_and_passes(made, steps):
    prepared = made("cnn")
    assert prepared.missing == {}
    assert set(prepared.artifacts) == set(FORMS)
    layouts = {form: artifact.layout for form, artifact in prepared.artifacts.items()}
    assert layouts == {"keras": "NHWC", "savedmodel": "NHWC", "exported": "NCHW", "onnx": "NCHW"}
    assert prepared.artifacts["onnx"].inputs == (TensorSpec("image", (None, 3, 32, 32), "float32"),)
    assert prepared.artifacts["keras"].inputs == (TensorSpec("image", (None, 32, 32, 3), "float32"),)
    for artifact in prepared.artifacts.values():
        assert artifact.path.exists()
        assert artifact.outputs == (TensorSpec("output_0", (None, 10), "float32"),)
        assert artifact.parity["max_rel"] <= LIMITS["fp32"].max_rel / 10
        entry = json.loads((artifact.path.parent / "entry.json").read_text())
        assert entry["made"]["parity"] == artifact.parity
    reference = read_arrays(prepared.reference)[0]
    assert reference.shape == (4, 10)
    assert reference.std() > 0.01
    steps.calls.clear()
    assert made("cnn") == prepared
    assert steps.calls == []


def test_only_what_is_asked_for_is_made(made, steps, tmp_path):
    steps.calls.clear()
    prepared = made("dense", forms={"savedmodel"}, cache=tmp_path)
    assert set(prepared.artifacts) == {"savedmodel"}
    assert steps.calls[-2:] == ["keras_source", "keras_savedmodel"]
    assert "torch_export" not in steps.calls


def test_photos_for_a_keras_file(made):
    prepared = made("cnn", forms={"keras"}, images=default_photos())
    assert read_arrays(prepared.inputs)[0].shape == (4, 32, 32, 3)
    assert "astronaut.jpg" in prepared.info.data


def test_channels_first_knows_most_layers(made):
    artifact = made("broad", forms={"exported"}).artifacts["exported"]
    assert artifact.layout == "NCHW"
    assert artifact.parity["passed"]


@pytest.fixture
def operators(made, tmp_path):
    """Return a function from kind to what `graph_script.py` finds in its exported program."""

    def find(kind):
        path = made(kind, forms={"exported"}).artifacts["exported"].path
        python = interpreter("torch", tmp_path / "environment.log")
        command = [str(python), str(Path(__file__).parents[1] / "support" / "graph_script.py"), str(path)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return find


def test_the_exported_program_has_the_operators_of_a_torch_model(operators):
    found = operators("cnn")["operators"]
    assert (found["conv2d"], found["batch_norm"], found["linear"]) == (2, 2, 1)
    assert not found.keys() & {"to", "_to_copy", "_assert_tensor_metadata", "matmul", "lift_fresh_copy"}
    assert found.get("permute", 0) <= 1  # Flatten's; none for kernels


@pytest.mark.parametrize("kind", ["cnn", "broad"])
def test_the_exported_program_follows_to_another_precision(operators, kind):
    found = operators(kind)
    assert (found["dtype"], found["rows"]) == ("torch.bfloat16", 3)
    assert found["devices"] == []  # an operator that names the CPU could not follow to a GPU


def test_a_model_without_channels_first_form_is_exported_as_built(made):
    prepared = made("nested", forms={"exported", "onnx"})
    assert {artifact.layout for artifact in prepared.artifacts.values()} == {"NHWC"}
    assert "model within the model" in prepared.info.conversions["exported"]["notes"][0]


def test_several_inputs_and_outputs(made):
    prepared = made("two_inputs", forms={"savedmodel", "exported"})
    assert [spec.name for spec in prepared.artifacts["exported"].inputs] == ["image", "vector"]
    assert [spec.shape for spec in prepared.artifacts["savedmodel"].outputs] == [(None, 5), (None, 1)]


def test_open_dimensions_and_embeddings(made):
    with pytest.raises(ModelError, match=r"open: tokens.1; give --shape tokens.1=N"):
        made("embedding", forms={"keras"})
    prepared = made("embedding", forms={"keras"}, shapes={"tokens.1": 40})
    tokens = read_arrays(prepared.inputs)[0]
    assert tokens.shape == (4, 40)
    assert 25 < tokens.max() < 50


def test_a_trusted_lambda_runs(made):
    assert made("lambda", forms={"keras"}, trust_model=True).artifacts["keras"].parity["passed"]


def test_weights_from_another_file(made, tiny):
    taken = made("cnn", forms={"keras"}, seed=0, weights=str(tiny("cnn", 1)))
    other = made("cnn", forms={"keras"}, seed=1)
    assert np.array_equal(read_arrays(taken.reference)[0], read_arrays(other.reference)[0])
    assert taken.info.weights == "cnn1.keras"


def test_weights_that_do_not_fit_or_are_damaged_are_one_line(made, tiny, tmp_path):
    with pytest.raises(ModelError, match=r"cannot load dense0.keras as weights of tiny_cnn") as caught:
        made("cnn", forms={"keras"}, weights=str(tiny("dense")))
    assert "\n" not in str(caught.value)
    (tmp_path / "damaged.weights.h5").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"cannot load damaged.weights.h5 as weights"):
        made("cnn", forms={"keras"}, weights=str(tmp_path / "damaged.weights.h5"))


def test_an_environment_that_cannot_be_built_is_a_missing_form(made, steps, tmp_path):
    def without_torch(environment, module, request):
        if environment in ("torch", "tf2onnx"):
            raise EnvironmentBuildError("no network")
        return steps(environment, module, request)

    prepared = made("dense", runner=without_torch, cache=tmp_path)
    assert set(prepared.artifacts) == {"keras", "savedmodel"}
    causes = (
        "step Keras file to torch exported program failed: no network; step SavedModel to ONNX file by tf2onnx failed: no network; "
        "step LiteRT flatbuffer to ONNX file by tf2onnx failed: no network"
    )
    assert prepared.missing["exported"] == causes
    assert set(prepared.missing["onnx"].split("; ")) == set(causes.split("; "))


def test_a_conversion_that_differs_is_missing_with_its_numbers_and_not_kept(made, steps, tmp_path):
    def wrong(environment, module, request):
        answer = steps(environment, module, request)
        if module.endswith("keras_savedmodel"):
            outputs = read_arrays(f"{request['out']}/check.npz")
            np.savez(f"{request['out']}/check.npz", output_0=outputs[0] * 1.01)
        return answer

    def wrong_only(environment, module, request):
        if module.endswith("torch_export"):  # the other way
            raise ModelError("not this way")
        return wrong(environment, module, request)

    prepared = made("dense", forms={"savedmodel"}, runner=wrong_only, cache=tmp_path)
    assert prepared.artifacts == {}
    assert "relative error 1.00e-02 is above the limit 1e-04" in prepared.missing["savedmodel"]
    assert prepared.missing["savedmodel"].endswith(
        "step Keras file to torch exported program failed: not this way"
    )
    another = made("dense", forms={"savedmodel"}, runner=wrong, cache=tmp_path).artifacts["savedmodel"]
    assert another.via == "onnx2tf" and another.parity["passed"]
    assert made("dense", forms={"savedmodel"}, cache=tmp_path).missing == {}


def test_random_weights_are_calibrated_and_the_same_in_every_process(steps, tmp_path):
    request = ModelRequest("MobileNetV3Small")
    first, second = (
        prepare(request, resolve(request), {"keras"}, steps, tmp_path / name, progress=lambda text: None)
        for name in ("first", "second")
    )
    outputs = read_arrays(first.reference)[0]
    assert outputs.shape == (4, 1000)
    assert 0.01 < outputs.std() < 10
    assert (outputs - outputs.mean(axis=0)).std() > 0.01
    assert first.info.hash == second.info.hash
    assert np.array_equal(outputs, read_arrays(second.reference)[0])
    assert first.info.name == "mobilenet_v3_small"
    assert first.artifacts["keras"].inputs[0].shape == (None, 224, 224, 3)
    request = ModelRequest("MobileNetV3Small", seed=1)
    other = prepare(
        request, resolve(request), {"keras"}, steps, tmp_path / "first", progress=lambda text: None
    )
    assert other.info.hash != first.info.hash


CALIBRATED = """
import os, sys
import numpy as np
from inferometer.models.steps import kerasfile, keras_source
keras = kerasfile.start("tensorflow")
keras.utils.set_random_seed(0)
model = keras.applications.MobileNetV3Small(weights=None)
keras_source.recalibrate(keras, model, [np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)])
print(kerasfile.weights_hash(model), kerasfile.weights_hash(model, "seed 0"), kerasfile.weights_hash(model, "seed 1"))
"""


def test_random_weights_are_one_model_whatever_processor_calibrates_them(tmp_path):
    python = interpreter("tf", tmp_path / "environment.log")
    path = str(Path(inferometer.__file__).parents[1])
    (here, one, other), (there, again, _) = (
        subprocess.run(
            [python, "-c", CALIBRATED], env={**os.environ, "PYTHONPATH": path, **processor},
            capture_output=True, text=True, check=True,
        ).stdout.split()
        for processor in ({}, {"ONEDNN_MAX_CPU_ISA": "SSE41"})
    )  # fmt: skip
    assert here != there, "both round alike: this shows nothing"
    assert one == again != other


TABLE = """
import json, os, sys
os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="2")
import keras
from keras.src.applications import imagenet_utils
class Found(Exception): pass
def stop(input_shape, default_size, **_): raise Found(default_size)
table = {}
for name in dir(keras.applications):
    build = getattr(keras.applications, name)
    if not callable(build): continue
    imagenet_utils.obtain_input_shape = stop
    try: build(weights=None)
    except Found as found: size = found.args[0]
    table[name] = [build.__module__.rpartition(".")[2], size]
open(sys.argv[1], "w").write(json.dumps(table))
"""


def test_the_table_of_architectures_is_keras_own(tmp_path):
    python = interpreter("tf", tmp_path / "environment.log")
    subprocess.run([str(python), "-c", TABLE, str(tmp_path / "table.json")], check=True, capture_output=True)
    theirs = json.loads((tmp_path / "table.json").read_text())
    ours = {application.attribute: application for application in APPLICATIONS.values()}
    assert set(theirs) == set(ours)
    assert {name: [application.module, application.size] for name, application in ours.items()} == theirs
