"""The user's own files in a bundle: what links lead to and what lies beside is packed, what cannot be unpacked is one line."""

import shutil
import tarfile
from pathlib import Path

import pytest

from inferometer.cli import invoke
from inferometer.models.images import default_photos
from inferometer.planning.request import make_request
from steprunner import write_onnx
from travelled import bundle_of, unbundled


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def linked(tmp_path):
    """A model's file as a hub's cache has it: a link to content elsewhere."""
    (tmp_path / "blob").write_bytes(b"weights")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.onnx").symlink_to("../blob")
    return tmp_path / "snapshot" / "model.onnx"


def test_a_linked_model_is_unbundled_as_a_file_of_its_name(linked, tmp_path):
    [there] = unbundled(bundle_of(make_request(str(linked)), tmp_path / "bundle"))
    assert there.name == "model.onnx" and not there.is_symlink() and there.read_bytes() == b"weights"


@pytest.mark.environment
def test_an_onnx_file_is_unbundled_with_the_weights_beside_it(tmp_path):
    (tmp_path / "onnx").mkdir()
    model = write_onnx(tmp_path / "onnx") / "external.onnx"
    [there] = unbundled(bundle_of(make_request(str(model)), tmp_path / "bundle"))
    assert there.name == "external.onnx" and there.read_bytes() == model.read_bytes()
    weights = there.parent / "parts" / "w.bin"
    assert weights.read_bytes() == (model.parent / "parts" / "w.bin").read_bytes()


def test_what_is_printed_of_a_folder_of_transformers_is_what_a_run_takes(tmp_path, capsys):
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "config.json").write_text("{}")
    (tmp_path / "w.safetensors").touch()
    asked = (
        make_request(f"hf:{tmp_path / 'cfg'}"),
        make_request(str(tmp_path / "w.safetensors"), architecture=f"hf:{tmp_path / 'cfg'}"),
    )
    bundles = [bundle_of(request, tmp_path / f"bundle{number}") for number, request in enumerate(asked)]
    shutil.rmtree(tmp_path / "cfg")
    for bundle in bundles:
        assert invoke(["unbundle", str(bundle)]) == 0
    *_, first, weights, second = [
        line.removeprefix("file ")
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("file ")
    ]
    assert first == second and weights.endswith("/w.safetensors")
    there = Path(first.removeprefix("hf:"))
    assert first == f"hf:{there}" and [path.name for path in there.iterdir()] == ["config.json"]


def test_a_link_that_leads_nowhere_is_told_before_anything_is_converted(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    (photos / "here.jpg").symlink_to(default_photos()[0])
    (photos / "x.jpg").symlink_to("gone.jpg")
    arguments = ["--frameworks", "onnxrt", "--image", str(photos), "--out", str(out)]
    assert invoke(["bundle", "mobilenet_v3_large", *arguments]) == 2
    told = capsys.readouterr().err
    assert "x.jpg is a link to gone.jpg, which cannot be read" in told and told.count("\n") == 1
    assert not out.exists()


def test_a_model_that_is_not_there_is_told_as_by_a_run(tmp_path, capsys):
    assert invoke(["bundle", "nowhere.onnx", "--frameworks", "onnxrt", "--out", str(tmp_path / "out")]) == 2
    assert "model file nowhere.onnx does not exist; give the path" in capsys.readouterr().err.replace(
        f"{Path.cwd()}/", ""
    )


def test_an_archive_that_leads_out_of_its_folder_is_one_line(linked, tmp_path, capsys):
    """As bundles were made of linked files: the link itself was packed."""
    with tarfile.open(tmp_path / "archive", "w:gz") as archive:
        archive.add(linked, linked.name)
    packed = {"given": {"given/0/model.onnx.tar.gz": tmp_path / "archive"}}
    bundle = bundle_of(make_request("mobilenet_v3_large"), tmp_path / "bundle", **packed)
    assert invoke(["unbundle", str(bundle)]) == 1
    told = capsys.readouterr().err
    assert "model.onnx cannot be unpacked: " in told and told.count("\n") == 1 and "Traceback" not in told
