"""Precisions, modes and variants with real frameworks on the CPU, on a model small enough for seconds."""

import subprocess
from pathlib import Path

import pytest

import inferometer
from inferometer.cli import invoke
from inferometer.frameworks import environments, requirements
from inferometer.storage.run_directory import read_run
from short_run import SHORT

pytestmark = pytest.mark.environment

MODEL = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
keras.utils.set_random_seed(5)
layers = keras.layers
x = keras.Input((16, 16, 3))
y = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
y = layers.BatchNormalization()(y)
y = layers.Activation("hard_silu")(y)
y = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)))
y = layers.Flatten()(layers.Conv2D(8, 1)(y))
keras.Model(x, layers.Dense(10)(y)).save(sys.argv[1])
"""
# each framework's own code at every precision; rows that share it, and what takes minutes to compile, at those that differ
ON_HOST = {
    "tf": ("fp32", "fp16", "bf16"),
    "tfxla": ("fp32", "bf16"),
    "keras": ("fp32", "fp16"),
    "kerasxla": ("fp32", "bf16"),
    "jax": ("fp32", "fp16", "bf16"),
    "torch": ("fp32", "fp16", "bf16"),
    "torch:channels_last": ("fp16",),
    "torch:naive": ("bf16",),
    "torch:autocast": ("fp16", "bf16"),
    "torch-compile:channels_last": ("fp32",),
    "torch-compile:autocast": ("bf16",),
    "torch-aot": ("fp32", "bf16"),
    "onnxrt": ("fp32",),
    "onnxrt:io-binding": ("fp32",),
    "openvino": ("fp32", "fp16", "bf16"),
}
ON_DEVICE = {
    "tf": ("fp32", "fp16"),
    "tfxla": ("fp32",),
    "keras": ("fp32",),
    "jax": ("fp32", "fp16"),
    "torch": ("fp32", "fp16"),
    "torch:autocast": ("fp16",),
    "torch-compile:channels_last": ("fp32",),
    "onnxrt": ("fp32",),
    "onnxrt:io-binding": ("fp32",),
    "openvino": ("fp32",),
}
RUNS = [
    (mode, precision, [name for name, own in rows.items() if precision in own])
    for mode, rows in (("host", ON_HOST), ("device", ON_DEVICE))
    for precision in ("fp32", "fp16", "bf16")
]
SETTINGS = (
    "--batch-sizes", "3", "--images", "7", "--loops", "3", "--warmup", "1", "--rounds", "1", "--threads", "1",
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("precisions")
    tf = environments.ensure(requirements.read("tf", "cpu"), folder / "log", lambda text: None)
    subprocess.run([tf.python, "-c", MODEL, folder / "tiny.keras"], check=True, capture_output=True)
    found = []
    for number, (mode, precision, names) in enumerate(run for run in RUNS if run[2]):
        out = folder / f"run{number}"
        matrix = ["--frameworks", ",".join(names), "--precisions", precision, "--modes", mode]
        assert invoke(["run", str(folder / "tiny.keras"), *matrix, *SETTINGS, "--out", str(out)]) == 0
        found += read_run(out).records
    return found


def records(finished, framework):
    return [record for record in finished if record.cell.framework == framework]


@pytest.mark.parametrize("framework", ON_HOST)
def test_every_precision_is_computed_read_back_and_right(finished, framework):
    for record in records(finished, framework):
        if framework == "openvino" and record.status == "unsupported":
            assert f"no {record.cell.precision} arithmetic" in record.cause
            continue
        assert record.status == "ok", (record.cell.key, record.cause)
        assert record.actual.precision == record.cell.precision
        assert record.actual.device == "cpu"
        assert record.parity.passed and record.parity.images >= 3
    found = {(record.cell.precision, record.cell.mode) for record in records(finished, framework)}
    wanted = {(precision, "host") for precision in ON_HOST[framework]}
    assert found == wanted | {(precision, "device") for precision in ON_DEVICE.get(framework, ())}


def test_lower_precision_is_really_lower(finished):
    for record in finished:
        if record.status == "ok":
            exact = record.parity.max_rel < 1e-5
            assert exact == (record.cell.precision == "fp32"), (record.cell.key, record.parity.max_rel)


def test_latencies_are_of_host_mode_only(finished):
    for record in finished:
        if record.status == "ok":
            assert [len(loop.batch_s) for loop in record.loops] == [
                3 if record.cell.mode == "host" else 0
            ] * 3


def test_phases_are_told_where_the_framework_lets_them_be_told_apart(finished):
    for framework in ("tf", "torch", "jax", "onnxrt:io-binding"):
        exact = [record for record in records(finished, framework) if record.cell.precision == "fp32"]
        by_mode = {record.cell.mode: record.phases for record in exact}
        assert set(by_mode["host"]) == {"copy_in", "enqueue", "compute", "copy_out"}
        assert set(by_mode["device"]) == {"enqueue", "compute"}


def test_placement_is_read_back(finished):
    (first, *_) = records(finished, "onnxrt")
    assert set(first.actual.details["nodes"]) == {"CPUExecutionProvider"}
    assert first.actual.details["nodes_elsewhere"] == []
    for framework, told in (
        ("tf", "graphs"),
        ("keras", "each operation"),
        ("tfxla", "XLA"),
        ("kerasxla", "XLA"),
    ):
        for record in records(finished, framework):
            details = record.actual.details
            assert told in details["nodes_told_by"] and details["nodes_elsewhere"] == []
            assert set(details["nodes"]) == (set() if told == "XLA" else {"CPU:0"})
    for framework, key in (("torch", "weights_on"), ("tf", "variables_on"), ("jax", "weights_on")):
        places = records(finished, framework)[0].actual.details[key]
        assert all("cpu" in place.lower() for place in places) and sum(places.values()) > 4


def test_weights_of_normalisation_stay_wide(finished):
    halves = [r for r in records(finished, "torch") if r.cell.precision == "fp16"]
    assert set(halves[0].actual.details["weight_types"]) == {"float16", "float32"}


def test_what_cannot_run_here_is_skipped_with_its_reason(tmp_path, capsys):
    names = "torch:cudagraph,onnxrt:cudagraph,torch-compile:reduce-overhead,onnxrt"
    arguments = ["run", "--dry-run", "--frameworks", names, "--batch-sizes", "4", "--device", "cpu"]
    assert invoke([*arguments, "--precisions", "fp32,fp16", "--modes", "host,host-pipelined"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "kind cuda" in text.replace("- ", "")


SEES_ORDER = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
keras.utils.set_random_seed(5)
y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, strides=4)(x := keras.Input((224, 224, 3))))
keras.Model(x, keras.layers.Rescaling(0.1)(y)).save(sys.argv[1])
"""
FIRST_IN_PLACE = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
keras.utils.set_random_seed(5)
y = keras.layers.Rescaling(0.5, 1.0)(x := keras.Input((224, 224, 3)))  # could overwrite its input
keras.Model(x, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(y))).save(sys.argv[1])
"""
TWO_NAMED = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
keras.utils.set_random_seed(5)
zebra, apple = keras.Input((4,), name="zebra"), keras.Input((4,), name="apple")
y = keras.layers.Dense(5)(keras.layers.Subtract()([zebra, keras.layers.Rescaling(3.0)(apple)]))
keras.Model({"zebra": zebra, "apple": apple}, {"late": y, "early": keras.layers.Dense(2)(y)}).save(sys.argv[1])
"""


def saved(script, folder):
    tf = environments.ensure(requirements.read("tf", "cpu"), folder / "log", lambda text: None)
    path = folder / "model.keras"
    subprocess.run([tf.python, "-c", script, path], check=True, capture_output=True)
    return path


def tried(folder, environment, trial, *arguments):
    """Return what a script beside the worker's tests prints in a framework's own environment."""
    own = environments.ensure(requirements.read(environment, "cpu"), folder / "log", lambda text: None)
    source = Path(inferometer.__file__).parents[1]
    command = [own.python, Path(__file__).parent / "backends" / trial, source, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_jax_joins_pieces_and_delivers_pipelined_batches_in_their_order(tmp_path):
    assert "delivered 19" in tried(tmp_path, "jax", "jax_pipeline_trial.py", saved(SEES_ORDER, tmp_path))


def test_torch_delivers_pipelined_batches_in_their_order(tmp_path):
    assert "delivered 21" in tried(tmp_path, "torch", "torch_pipeline_trial.py")


@pytest.mark.parametrize("compiler", ["function", "xla"])
def test_tensorflow_shares_memory_where_it_can_and_never_writes_into_it(tmp_path, compiler):
    assert "as wanted" in tried(
        tmp_path, "tf", "tf_transfer_trial.py", saved(FIRST_IN_PLACE, tmp_path), compiler
    )


def test_onnxruntime_gets_the_values_of_every_batch_through_staging(tmp_path):
    assert "as wanted" in tried(tmp_path, "onnxrt", "onnx_staging_trial.py", tmp_path)


def test_bound_outputs_of_which_the_data_decide_the_size_are_those_of_every_batch(tmp_path):
    assert "as wanted" in tried(tmp_path, "onnxrt", "onnx_ragged_trial.py", tmp_path)


def test_onnxruntime_says_that_it_computes_files_of_float64_in_it(tmp_path):
    assert "as wanted" in tried(tmp_path, "onnxrt", "onnx_double_trial.py", tmp_path)


def test_tf32_is_forbidden_to_tensorrt_inside_onnxruntime_before_it_loads(tmp_path):
    assert "as wanted" in tried(tmp_path, "onnxrt", "onnx_tf32_trial.py", tmp_path)


def test_torch_is_read_by_its_products_not_by_its_output(tmp_path):
    assert "as wanted" in tried(tmp_path, "torch", "torch_precision_trial.py", tmp_path)


def test_programs_that_cast_between_floating_types_give_what_they_gave_the_user(tmp_path):
    assert "as wanted" in tried(tmp_path, "torch", "torch_casts_trial.py", tmp_path)


def test_tensorflow_tells_which_nodes_ran_elsewhere(tmp_path):
    assert "as wanted" in tried(tmp_path, "tf", "tf_placement_trial.py", tmp_path)


@pytest.mark.parametrize(("environment", "backend"), [("jax", "jax"), ("tf", "tensorflow")])
def test_a_keras_file_is_loaded_without_drawing_weights(tmp_path, environment, backend):
    assert "as wanted" in tried(tmp_path, environment, "keras_file_trial.py", backend)


def test_inputs_with_names_reach_the_right_places_in_every_framework(tmp_path):
    names = ["--frameworks", "tf,keras,keras:predict,kerasxla,jax,torch,onnxrt,mnn"]
    model = str(saved(TWO_NAMED, tmp_path))
    assert invoke(["run", model, *names, *SHORT, "--out", str(tmp_path / "run")]) == 0
    run = read_run(tmp_path / "run")
    assert not [(r.cell.key, r.status, r.cause) for r in run.records if r.status != "ok"]
    assert len(run.records) + len(run.info.skips) == 8
    assert {"tf", "keras", "keras:predict", "kerasxla", "jax"} <= {r.cell.framework for r in run.records}
