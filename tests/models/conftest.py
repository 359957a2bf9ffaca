"""Real environments and small models, one set for all tests of this folder."""

import pytest

from inferometer.models.contract import ModelRequest
from inferometer.models.prepare import prepare
from inferometer.models.sources import resolve
from parts import missing  # noqa: F401  (`from conftest import missing` may find this conftest)
from steprunner import RealSteps, write_onnx


@pytest.fixture(scope="session")
def steps(tmp_path_factory):
    """Return the runner, one for all tests."""
    return RealSteps(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="session")
def tiny(steps, tmp_path_factory):
    """Return a function from kind and seed to the path of a small `.keras` file, made once."""
    folder = tmp_path_factory.mktemp("tiny")

    def make(kind, seed=0):
        path = folder / f"{kind}{seed}.keras"
        if not path.exists():
            steps("tf", "models.steps.tiny_model", {"kind": kind, "seed": seed, "out": str(path)})
        return path

    return make


@pytest.fixture(scope="session")
def onnx(tmp_path_factory):
    """Return the folder of the small ONNX files, with one that is none."""
    folder = write_onnx(tmp_path_factory.mktemp("onnx"))
    (folder / "bad.onnx").write_bytes(b"no model at all")
    return folder


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory):
    """Return the folder of a cache of models, one for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def reach(steps, model_cache):
    """Return a function from a model and the forms wanted to what was prepared."""

    def prepared(model, *forms, **options):
        request = ModelRequest(str(model), **options)
        return prepare(request, resolve(request), set(forms), steps, model_cache, progress=lambda text: None)

    return prepared
