"""`unbundle` killed while it installs: what it left is cleared away with every other build that was killed."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from inferometer.cli import invoke
from inferometer.frameworks import environments, requirements
from inferometer.planning.request import make_request
from travelled import bundle_of

# dies as it installs the wheels
KILLED = """
import os, signal, sys
from pathlib import Path
from inferometer.bundling.unbundle import unbundle
from inferometer.frameworks import installer
installer.install_wheels = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
unbundle(Path(sys.argv[1]), borrowed_from=None, progress=print)
"""


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """Return the folder of environments in which an `unbundle` was killed that had unpacked its wheel, and the bundle."""
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "large-1-py3-none-any.whl"
    wheel.write_bytes(b"x" * 1000)
    bundle = bundle_of(make_request("mobilenet_v3_large"), tmp_path / "bundle", [wheel])
    manifest = json.loads((bundle / "bundle.json").read_text())
    lock = hashlib.sha256(requirements.read("onnxrt", "cpu").lock.encode()).hexdigest()
    facts = {"name": "onnxrt", "choice": "onnxrt", "accelerator": "cpu", "lock": lock}
    manifest["environments"] = [{**facts, "wheels": [wheel.name], "requirements": [], "left_out": []}]
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    done = subprocess.run([sys.executable, "-c", KILLED, bundle], env=os.environ, check=False, timeout=120)
    assert done.returncode == -9
    folder = environments.environments_folder()
    assert [path.name for path in folder.rglob("*.whl")] == [wheel.name]
    return folder, bundle


def test_the_wheels_that_a_killed_unbundle_left_are_pruned(killed, capsys):
    folder, _ = killed
    assert invoke(["cache", "prune", "--older-than", "8w"]) == 0
    assert [path for path in folder.iterdir() if path.is_dir()] == []
    assert "left by a process that was killed" in capsys.readouterr().out


def test_the_wheels_that_a_killed_unbundle_left_go_with_the_next_one(killed):
    folder, bundle = killed
    invoke(["unbundle", str(bundle)])  # whose one wheel is none
    assert [path for path in folder.iterdir() if path.is_dir()] == []
