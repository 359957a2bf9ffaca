"""A request whose files lie elsewhere: names that hold a path are followed by where it lies there."""

import shutil
from pathlib import Path

import pytest

from inferometer.planning.given_files import given_files, placed, prefixes
from inferometer.planning.request import make_request

THERE = Path("/there/cfg")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "config.json").write_text("{}")
    return tmp_path / "cfg"


def test_a_folder_of_transformers_is_placed_where_the_original_is_not(folder):
    request = make_request(f"hf:{folder}")
    assert given_files(request) == [folder]
    shutil.rmtree(folder)
    assert placed(request, {folder: THERE}).model.model == "hf:/there/cfg"
    assert placed(request, {}) == request


def test_a_folder_that_is_the_architecture_of_weights_is_placed_too(folder, tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.touch()
    request = make_request(str(weights), architecture=f"hf:{folder}")
    assert given_files(request) == [weights, folder]
    assert prefixes(request) == ["", "hf:"]
    shutil.rmtree(folder)
    model = placed(request, {weights: Path("/there/w.safetensors"), folder: THERE}).model
    assert (model.model, model.architecture) == ("/there/w.safetensors", "hf:/there/cfg")


@pytest.mark.parametrize("name", ["hf:org/name", "timm:resnet18"])
def test_names_of_a_hub_stay(name, folder):
    request = make_request(name)
    assert given_files(request) == []
    assert placed(request, {folder: THERE}) == request
