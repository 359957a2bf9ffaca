"""A folder of transformers as a model is its content, wherever it lies: what was made of one is found from a copy of it."""

import json
import shutil

import pytest

from inferometer.models.artifact_cache import key_of
from inferometer.models.contract import ModelRequest
from inferometer.models.prepare import prepare
from inferometer.models.sources import resolve
from inferometer.models.sources.torch import inspect
from inferometer.models.step_cache import CachedStep

CONFIG = {
    "model_type": "bert", "vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 16,
}  # fmt: skip


class Asked:
    """A cache of steps that keeps what it was asked for, and makes nothing."""

    def make(self, step, environment, facts, *, paths, saying):
        self.facts, self.paths = facts, paths
        return CachedStep(None, {})


def asked(model, **options):
    request, steps = ModelRequest(str(model), **options), Asked()
    inspect(request, resolve(request), steps)
    return steps


def key(model, **options):
    return key_of(asked(model, **options).facts)


def configured(folder, **changes):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder


def test_copies_of_a_folder_are_one_model_and_another_content_is_another(tmp_path):
    here, there = configured(tmp_path / "a" / "cfg"), configured(tmp_path / "b" / "cfg")
    other = configured(tmp_path / "c" / "cfg", num_hidden_layers=2)
    assert key(f"hf:{here}") == key(f"hf:{there}") != key(f"hf:{other}")
    assert asked(f"hf:{there}").paths["folder"] == there


def test_copies_of_a_folder_are_one_architecture_of_weights(tmp_path):
    here, there = configured(tmp_path / "a" / "cfg"), configured(tmp_path / "b" / "cfg")
    other = configured(tmp_path / "c" / "cfg", num_hidden_layers=2)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"weights")
    first, second, third = (key(weights, architecture=f"hf:{folder}") for folder in (here, there, other))
    assert first == second != third


def test_names_of_the_hub_are_told_apart_by_name():
    found = [asked(f"hf:{name}") for name in ("org/name", "org/other")]
    assert [each.facts["architecture"] for each in found] == ["hf:org/name", "hf:org/other"]
    assert not any(each.facts["folder_hash"] or each.paths["folder"] for each in found)


@pytest.mark.environment
def test_what_was_converted_from_a_folder_is_found_from_its_copy_when_it_is_gone(
    reach, model_cache, tmp_path
):
    def elsewhere(environment, module, request):
        raise AssertionError(module)

    here, there = configured(tmp_path / "a" / "cfg"), tmp_path / "b" / "cfg"
    made = reach(f"hf:{here}", "exported", "onnx", shapes={"sequence": 8})
    shutil.copytree(here, there)
    shutil.rmtree(here)
    request = ModelRequest(f"hf:{there}", shapes={"sequence": 8})
    found = prepare(
        request, resolve(request), {"exported", "onnx"}, elsewhere, model_cache, progress=lambda text: None
    )
    assert set(found.artifacts) == {"exported", "onnx"} and found.entries == made.entries
    assert found.info.hash == made.info.hash and found.info.source == f"hf:{there}"
