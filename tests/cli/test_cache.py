"""The user's cache: listed, verified, pruned; a whole one may be read-only."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from inferometer.cli import invoke
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.requirements import Requirements
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.storage.run_directory import read_run
from short_run import SHORT
from unprivileged import PROGRAM, bound_by_permissions
from wheels import write_wheel


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with an environment and two entries of models, one of them not used for a year."""
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    wheel = write_wheel(tmp_path, "tiny", {"tiny.py": "VALUE = 1\n"})
    environments.ensure(
        Requirements("tiny", "cpu", (f"tiny @ file://{wheel}",)), tmp_path / "log", lambda text: None
    )
    models = ArtifactCache(tmp_path / "cache" / "models")
    for step in ("onnx_source", "old_step"):
        folder, _ = models.get({"step": step}, lambda folder: {"size": (folder / "f").write_text("x" * 5000)})
    year_ago = time.time() - 365 * 86_400
    os.utime(folder, (year_ago, year_ago))
    return tmp_path / "cache"


def test_it_is_listed_with_sizes(cache, capsys):
    assert invoke(["cache", "list"]) == 0
    out = capsys.readouterr().out
    assert "tiny-cpu-" in out and "(onnx_source)" in out and "(old_step)" in out
    assert f"3 items, {4}"[:7] in out and str(cache) in out


def test_what_was_not_used_goes(cache, capsys):
    (cache / "models" / "abc.partial-1").mkdir()
    assert invoke(["cache", "prune", "--older-than", "30d"]) == 0
    out = capsys.readouterr().out
    assert "(old_step)" in out and "removed abc.partial-1" in out and "onnx_source" not in out
    assert invoke(["cache", "prune", "--older-than", "30d"]) == 0
    assert invoke(["cache", "prune", "--older-than", "soon"]) == 2
    assert "--older-than 'soon' is no time" in capsys.readouterr().err


def test_what_cannot_be_removed_is_kept_for_a_reason_in_words(cache, capsys):
    lock = next(path for path in cache.glob("models/*") if path.stat().st_mtime < time.time() - 9 * 86_400)
    lock = lock.with_name(f"{lock.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    assert invoke(["cache", "prune", "--older-than", "30d"]) == 0
    out, err = capsys.readouterr()
    assert "freed 0 B" in out and err.startswith("kept model ") and "Errno" not in err


def test_what_is_used_is_young_again(cache, tmp_path, capsys):
    ArtifactCache(cache / "models").get({"step": "old_step"}, lambda folder: pytest.fail("it is there"))
    invoke(["cache", "prune", "--older-than", "30d"])
    assert "old_step" not in capsys.readouterr().out


def test_a_bit_that_turned_on_the_disk_is_found_by_reading_all(cache, capsys):
    assert invoke(["cache", "verify"]) == 0
    assert capsys.readouterr().out == "3 items read, 0 damaged\n"
    [module] = cache.glob("environments/tiny-*/lib/python*/site-packages/tiny.py")
    module.write_text("VALUE = 2\n")
    model = next(path for path in cache.glob("models/*/f"))
    model.write_text("y" * 5000)
    assert invoke(["cache", "verify"]) == 1
    out = capsys.readouterr().out
    assert (
        "tiny.py has another content than was installed" in out
        and "f has another content than was written" in out
    )
    assert out.count("\nremoved") + out.startswith("removed") == 2 and "3 items read, 2 damaged" in out
    assert not model.exists() and not module.exists()


@pytest.mark.environment
def test_a_whole_read_only_cache_works(tmp_path, monkeypatch):
    bound = bound_by_permissions()
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    environments.ensure(requirements.read("onnxrt", "cpu"), tmp_path / "log", lambda text: None)
    model = Path(__file__).parents[1] / "support" / "onnx_files.py"
    python = environments.locate(requirements.read("onnxrt", "cpu")) / "bin" / "python"
    subprocess.run([python, model, str(tmp_path)], check=True)
    file = tmp_path / "image.onnx"
    command = [*bound, *PROGRAM, "run", str(file), "--frameworks", "onnxrt", *SHORT, "--device", "cpu"]
    first = subprocess.run([*command, "--out", str(tmp_path / "first")], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    shutil.rmtree(tmp_path / "cache" / "tmp", ignore_errors=True)
    before = set((tmp_path / "cache").rglob("*"))
    subprocess.run(["chmod", "-R", "a-w", str(tmp_path / "cache")], check=True)
    try:
        again = subprocess.run([*command, "--out", str(tmp_path / "again")], capture_output=True, text=True)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(tmp_path / "cache")], check=True)
    assert again.returncode == 0, again.stderr
    assert {record.status for record in read_run(tmp_path / "again").records} == {"ok"}
    assert set((tmp_path / "cache").rglob("*")) == before
