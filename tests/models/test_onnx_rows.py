"""ONNX files whose rows do not simply come first in every input and output."""

import subprocess

import numpy as np
import pytest

import inferometer
from inferometer.errors import ModelError, UsageError
from inferometer.models.contract import ModelRequest
from inferometer.models.sources import resolve
from inferometer.models.step_cache import read_arrays
from inferometer.running.processes.child import child_environment
from steprunner import interpreter, write_onnx

pytestmark = pytest.mark.environment


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx_rows"), "onnx_row_files.py")


@pytest.fixture
def made(reach, files):
    return lambda name, *forms, **options: reach(files / name, *(forms or ("onnx",)), **options)


RATE = {"sr": (16000, 16000)}


def test_branches_by_ranks_are_settled_one_within_the_other(made):
    prepared = made("branches.onnx", "exported")
    assert "branches that always go one way, replaced by that way: 2" in prepared.info.data
    assert prepared.artifacts["exported"].via == "onnx2torch"
    (x,), (flat,) = read_arrays(prepared.inputs), read_arrays(prepared.reference)
    assert np.allclose(flat, 2 * x[:, 0])


def test_a_branch_that_depends_on_the_batch_stays(made):
    prepared = made("by_batch.onnx", "exported")
    assert "replaced by that way: 2" in prepared.info.data
    assert "it has no operator If" in prepared.missing["exported"]


def test_a_batch_of_minus_one_and_odd_names_of_nodes_reach_tensorflow(made):
    assert made("paddle.onnx", "savedmodel").artifacts["savedmodel"].via == "onnx2tf"


def test_the_ambiguity_of_a_power_is_a_number(made):
    with np.load(made("power.onnx").checks.ambiguity) as found:
        assert all(np.isfinite(found[name]).all() for name in found.files)


def test_rows_on_another_axis_and_a_value_for_all_rows(made):
    prepared = made("stateful.onnx", "onnx", "exported", input_ranges=RATE)
    artifact = prepared.artifacts["onnx"]
    assert [(spec.name, spec.shape) for spec in artifact.inputs] == [
        ("x", (None, 6)),
        ("state", (None, 2, 4)),
    ]
    assert [(spec.name, spec.shape) for spec in artifact.outputs] == [
        ("y", (None, 4)),
        ("stateN", (None, 2, 4)),
    ]
    assert "rows put first by a Transpose in state, stateN" in prepared.info.data
    assert "sr is 16000 in every row" in prepared.info.data
    assert "replaced by that way: 1" in prepared.info.data
    assert prepared.artifacts["exported"].via == "onnx2torch"  # which knows no If
    _, state = read_arrays(prepared.inputs)
    y, after = read_arrays(prepared.reference)
    assert np.allclose(y, after.sum(axis=1), atol=1e-5)
    sums, known = np.arctanh(after), np.abs(after).max(axis=1) < 0.999  # what float32 still tells from 1
    assert known.sum() > 10
    assert np.allclose((sums[:, 0] - sums[:, 1])[known], (state[:, 0] - state[:, 1])[known], atol=1e-3)


def test_the_value_chooses_the_branch_and_makes_another_model(made):
    slow, fast = (
        made("stateful.onnx", input_ranges=RATE),
        made("stateful.onnx", input_ranges={"sr": (8000, 8000)}),
    )
    assert slow.info.hash != fast.info.hash
    assert not np.allclose(*(read_arrays(prepared.reference)[0] for prepared in (slow, fast)))


def test_the_users_own_rows_are_as_the_file_takes_them(made, tmp_path):
    random = np.random.default_rng(0)
    state = random.normal(size=(2, 5, 4)).astype("f")
    x = random.normal(size=(5, 6)).astype("f")
    np.savez(tmp_path / "rows.npz", x=x, state=state, sr=np.array(16000))
    prepared = made("stateful.onnx", inputs=tmp_path / "rows.npz")
    assert np.array_equal(read_arrays(prepared.inputs)[1], np.moveaxis(state, 1, 0))
    assert "sr is 16000" in prepared.info.data


def test_a_batch_axis_that_is_asked_for(made):
    asked = made("stateful.onnx", input_ranges=RATE, batch_axes={"state": 1})
    assert asked.info.hash == made("stateful.onnx", input_ranges=RATE).info.hash


def test_an_output_of_each_rows_own_size_is_compared_whole(made):
    prepared = made("found.onnx", shapes={"batch": 1})
    assert prepared.checks.ragged == (0, 1)
    rows, (best, where) = read_arrays(prepared.inputs)[0], read_arrays(prepared.reference)
    assert best.shape == (len(rows), where.shape[1])
    counts = (best > 3).sum(axis=1)
    assert len(set(counts)) > 1  # or nothing would have been filled up
    assert prepared.artifacts["onnx"].fixed_batch == 1


def test_inputs_without_a_common_first_dimension_are_a_call_a_row(made):
    prepared = made("called.onnx")
    assert [spec.shape for spec in prepared.artifacts["onnx"].inputs] == [(1, 7, 20), (1, 30)]
    grid, offsets = read_arrays(prepared.inputs)
    assert len(grid) == len(offsets) == 4
    product = read_arrays(prepared.reference)[0] - offsets[:, None]
    weights = np.linalg.lstsq(grid.reshape(-1, 20), product.reshape(-1, 30), rcond=None)[0]
    assert np.allclose(grid @ weights, product, atol=1e-4)  # each row with its own offsets


def test_a_fixed_batch_whose_outputs_are_not_its_rows_is_a_row_itself(made):
    prepared = made("pairs.onnx")
    assert prepared.artifacts["onnx"].inputs[0].shape == (1, 4, 20)
    y, a = read_arrays(prepared.reference)
    assert np.allclose(y, a.transpose(0, 2, 1) @ a, atol=1e-3)


def test_a_declared_shape_that_is_wrong_is_not_believed(made):
    prepared = made("mistaken.onnx")
    assert [output.shape for output in read_arrays(prepared.reference)] == [(4, 7, 1, 30)]
    assert "a call is one row, compared whole: y" in prepared.info.data


def test_rows_that_come_out_last_and_a_size_known_by_the_rows_given(made, tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(6, 20)).astype("f"))
    prepared = made("sums.onnx", inputs=tmp_path / "rows.npz")
    assert prepared.artifacts["onnx"].inputs[0].shape == (None, 20)
    assert read_arrays(prepared.reference)[0].shape == (6, 30)
    assert made("sums.onnx", shapes={"x.1": 20}).artifacts["onnx"].outputs[0].shape == (None, 30)


def test_sizes_are_not_moved_with_the_weights(made):
    ambiguity = made("enlarged.onnx").info.conversions["onnx"]["checks"]["ambiguity"]
    assert 0 < ambiguity["moved"] < 1e-5 < ambiguity["bf16"] < 0.1


@pytest.mark.parametrize(
    ("name", "options", "cause"),
    [
        ("stateful.onnx", {}, r"input 'sr' .*give its value with --input-range sr=VALUE"),
        ("stateful.onnx", {"input_ranges": {"sr": (0, 9)}}, "give its value"),
        ("stateful.onnx", {"input_ranges": {"sr": (0.5, 0.5)}}, "sr=0.5 does not fit int64"),
        (
            "stateful.onnx",
            {"input_ranges": RATE, "batch_axes": {"stat": 1}},
            "unknown input stat; did you mean state?",
        ),
        ("stateful.onnx", {"input_ranges": RATE, "batch_axes": {"state": 3}}, "axes 0 to 2"),
        ("stateful.onnx", {"input_ranges": RATE, "batch_axes": {"sr": 0}}, "it is a scalar: give none"),
        ("found.onnx", {}, r"output 'best' does not grow with the batch: .*--shape batch=1"),
        ("found.onnx", {"shapes": {"bath": 1}}, "does not have: bath; did you mean batch?"),
        ("sums.onnx", {}, r"leaves dimensions open: x\.1; give --shape x\.1=N"),
        ("pairs.onnx", {"shapes": {"x.0": 2}}, r"--shape x\.0=2: the model's file fixes this dimension at 4"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_remedy(made, name, options, cause):
    with pytest.raises(ModelError, match=cause) as caught:
        made(name, **options)
    assert "\n" not in str(caught.value)


def test_a_batch_axis_is_for_onnx_files():
    with pytest.raises(UsageError, match="--batch-axis is for ONNX files"):
        resolve(ModelRequest("mobilenet_v2", batch_axes={"x": 1}))


def test_a_detector_of_a_batch_of_one_is_measured_on_every_framework_that_can(files, tmp_path):
    result = inferometer.run(
        files / "found.onnx", shapes={"batch": 1}, frameworks="onnxrt,openvino", batch_sizes=1, preset="quick",
        rounds=1, out=tmp_path / "run",
    )  # fmt: skip
    records = result.run.records
    assert {record.cell.framework: (record.status, record.cause) for record in records} == {
        "onnxrt": ("ok", ""), "openvino": ("ok", ""),
    }  # fmt: skip
    assert all(record.parity.unseen for record in records)


def test_onnx_runtime_leaves_no_identity_in_the_users_home(files, tmp_path, monkeypatch):
    python = interpreter("onnxrt", tmp_path / "environment.log")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    program = f"import onnxruntime; onnxruntime.InferenceSession({str(files / 'found.onnx')!r})"
    subprocess.run([str(python), "-c", program], check=True, env=child_environment({}))
    assert not list(tmp_path.rglob("Microsoft"))
