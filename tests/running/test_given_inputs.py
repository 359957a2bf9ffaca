"""Rows of the user's own, and generated ones, from the call to the record and the footnote; ONNX Runtime measures them."""

from pathlib import Path

import numpy as np
import pytest

import inferometer
from inferometer.running.progress.observer import SilentObserver
from inferometer.tables.notes import notes
from steprunner import write_onnx

pytestmark = pytest.mark.environment
SHORT = {"loops": 1, "warmup": 1, "rounds": 1, "threads": 1, "device": "cpu", "frameworks": "onnxrt"}


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx"))


class Listening(SilentObserver):
    def __init__(self):
        self.told = []

    def preparing(self, text):
        self.told.append(text)


def measured(model, out, **options):
    observer = Listening()
    result = inferometer.run(model, out=out, observer=observer, **SHORT, **options)
    assert [record.status for record in result.run.records] == ["ok"]
    return result, observer.told


def footnotes(result):
    return [note.words for note in notes(result.results)]


def test_a_dictionary_of_arrays_whose_last_rows_fill_no_batch(onnx, tmp_path):
    rows = {"x": np.random.default_rng(0).normal(size=(7, 600)).astype(np.float32)}
    result, told = measured(onnx / "fixed.onnx", tmp_path / "run", inputs=rows, batch_sizes=3, images=6)
    left_out = "inputs: 6 of 7 rows: the last fill no batch of 3, the only size that the model takes"
    assert left_out in told and left_out in footnotes(result)
    info = result.run.info.model
    assert info.inputs_note == left_out and Path(info.data).name == "inputs.npz"
    assert (info.parameters, info.macs) == (2400, 2400)
    np.save(tmp_path / "x.npy", rows["x"][:6])
    again, told = measured(
        onnx / "fixed.onnx", tmp_path / "again", inputs=tmp_path / "x.npy", batch_sizes=3, images=6
    )
    assert again.run.info.model.hash == info.hash  # the same rows
    assert again.run.info.model.inputs_note == "" and not any("inputs" in text for text in told)


def test_what_generated_inputs_are_is_in_the_record_and_below_the_table(onnx, tmp_path):
    result, told = measured(onnx / "two.onnx", tmp_path / "run", shapes={"seq": 5}, batch_sizes=2, images=4)
    note = "inputs generated: x normal(0, 1), ids 0 to 8"
    assert note in told and note in footnotes(result)
    assert [item["drawn"] for item in result.run.info.model.inputs] == ["normal(0, 1)", "0 to 8"]
    assert f"<li>{note}</li>" in result._repr_html_()
