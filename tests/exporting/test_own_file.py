"""The user's own ONNX file, taken home from the cache after it has moved away."""

import json

import pytest

import inferometer
from inferometer.storage.cache import cache_folder
from inferometer.storage.run_directory import RUN_FILE
from steprunner import write_onnx
from taken_home import assert_answers_as_it_did

pytestmark = pytest.mark.environment
ROW = "onnxrt/fp32/2"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = write_onnx(tmp_path_factory.mktemp("own"))
    run = folder / "run"
    inferometer.run(
        folder / "external.onnx",
        frameworks="onnxrt",
        batch_sizes=2,
        preset="quick",
        rounds=1,
        threads=1,
        out=run,
    )
    for file in (*folder.glob("*.onnx*"), *folder.glob("*.bin")):
        file.unlink()
    return run


def test_the_file_is_found_in_the_cache(measured, tmp_path, capsys):
    assert_answers_as_it_did(measured, ROW, tmp_path / "home")
    assert "gone through again" not in capsys.readouterr().err
    proof = json.loads((tmp_path / "home/proof.json").read_text())
    assert not proof["model"]["made_again"]


def test_a_run_that_has_the_key_of_the_files_parts_finds_it_too(measured, tmp_path, capsys):
    conversion = changed(measured / RUN_FILE, lambda info: info["model"]["conversions"]["onnx"])
    changed(cache_folder("models") / conversion["key"] / "entry.json", lambda entry: entry["made"])
    assert_answers_as_it_did(measured, ROW, tmp_path / "home")
    assert "gone through again" not in capsys.readouterr().err


def changed(file, part):
    """Give part of a JSON file a hash as runs before 2026-11-29 have it, and return that part; entries then had no seal."""
    content = json.loads(file.read_text())
    part(content)["file_hash"] = "0" * 32
    content.pop("seal", None)
    file.write_text(json.dumps(content))
    return part(content)
