"""Ways from one form to another that few models had: encoders and ViTs in ONNX, LiteRT flatbuffers, what OpenVINO reads itself."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import inferometer
from parts import missing
from steprunner import interpreter

pytestmark = pytest.mark.environment


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of small models."""
    folder = tmp_path_factory.mktemp("edges")
    for environment in ("torch", "tf"):
        python = interpreter(environment, folder / "environment.log")
        script = Path(__file__).with_name("edge_files.py")
        subprocess.run([python, script, folder, environment], check=True, capture_output=True)
    return folder


VIT = """
import torch
from torch import nn


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.first = nn.Conv2d(3, 16, 8, 8), nn.Parameter(torch.randn(1, 1, 16))
        self.norm, self.qkv, self.head = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 5)

    def forward(self, image, mask):
        rows = len(image)
        x = torch.cat([self.first.expand(rows, -1, -1), self.patches(image).flatten(2).transpose(1, 2)], 1)
        query, key, value = self.qkv(self.norm(x)).reshape(rows, 5, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        kept = mask[torch.arange(rows)[:, None], torch.arange(5)[None]].bool()[:, None, None]
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=kept)
        return self.head((x + found.transpose(1, 2).reshape(rows, 5, 16))[:, 0])


def build():
    torch.manual_seed(0)
    return Vit(), {"image": torch.randn(2, 3, 16, 16), "mask": torch.ones(2, 5, dtype=torch.long)}
"""


def batches(prepared):
    return {form: item.inputs[0].shape[0] for form, item in prepared.artifacts.items()}


def test_an_encoder_in_onnx_that_computes_sizes_reaches_torch_and_jax_with_a_free_batch(reach, files):
    prepared = reach(files / "encoder.onnx", "exported", "jaxexport")
    assert batches(prepared) == {"exported": None, "jaxexport": None}
    assert prepared.artifacts["jaxexport"].via == "onnx2torch, torchax"
    assert all(item.parity["passed"] for item in prepared.artifacts.values())


def test_a_vit_of_timm_comes_back_from_onnx(reach, tmp_path):
    """Its GELU is of opset 20, and every attention takes its sizes from shapes."""
    shutil.copy(reach("timm:test_vit", "onnx").artifacts["onnx"].path, tmp_path / "vit.onnx")
    prepared = reach(tmp_path / "vit.onnx", "exported")
    assert batches(prepared) == {"exported": None}, prepared.missing


def test_one_part_of_a_split_and_sums_forwards(reach, files):
    prepared = reach(files / "decoder.onnx", "exported")
    assert batches(prepared) == {"exported": None}, prepared.missing
    assert [item.shape[1] for item in prepared.artifacts["exported"].outputs] == [1, 3]


def test_a_flatbuffer_reaches_onnx_and_what_onnx_reaches(reach, files):
    prepared = reach(files / "pair.tflite", "onnx", "exported")
    assert batches(prepared) == {"onnx": None, "exported": None}, prepared.missing
    assert prepared.artifacts["onnx"].via == "tf2onnx"
    assert prepared.info.conversions["exported"]["route"] == ["tflite", "onnx", "exported"]


def test_a_quantised_flatbuffer_reaches_onnx(reach, files):
    prepared = reach(files / "quantised.tflite", "onnx")
    assert batches(prepared) == {"onnx": None}, prepared.missing
    assert prepared.checks.stored == "int8"
    assert prepared.stored.label == "stored-int8"
    assert prepared.info.conversions["tflite"]["holds"] == {"int8": 3}


def test_an_operator_that_tf2onnx_lacks_is_named(reach, files):
    prepared = reach(files / "bucketed.tflite", "onnx")
    assert "tf2onnx cannot convert it: it has no operator TFL_BUCKETIZE" in prepared.missing["onnx"]


@pytest.mark.parametrize("name", ["pair", "pair.tflite"])
def test_openvino_reads_tensorflows_files_itself(files, tmp_path, name):
    """Inputs and outputs by name: a SavedModel's come in the order of the alphabet."""
    try:
        interpreter("openvino", tmp_path / "log")
    except OSError as error:
        missing(str(error))
    result = inferometer.run(
        str(files / name), frameworks="openvino", batch_sizes=[2], images=4, loops=2, warmup=1, rounds=1, threads=1,
        out=tmp_path / "run",
    )  # fmt: skip
    (row,) = result.results.summaries
    assert row.status == "ok", row.cause


def test_a_vit_of_pytorch_reaches_litert_with_a_free_batch(tmp_path):
    """Its first token is spread over the rows, and its mask is looked up by their numbers."""
    (tmp_path / "vit.py").write_text(VIT)
    random = np.random.default_rng(0)
    masks = (np.arange(5) < random.integers(2, 6, size=(6, 1))).astype(np.int64)
    np.savez(tmp_path / "rows.npz", image=random.normal(size=(6, 3, 16, 16)).astype("f"), mask=masks)
    result = inferometer.run(
        f"{tmp_path / 'vit.py'}:build", frameworks="litert", batch_sizes=[1, 3], images=6, loops=2, warmup=1, rounds=1,
        threads=1, trust_model=True, inputs=tmp_path / "rows.npz", out=tmp_path / "run",
    )  # fmt: skip
    assert [(row.cell.batch_size, row.status, row.cause) for row in result.results.summaries] == [
        (1, "ok", ""),
        (3, "ok", ""),
    ]
    assert result.run.info.model.conversions["tflite"]["via"] == "litert-torch"
