"""A real Ray cluster on this machine: a head, and nodes that pretend to be other hardware."""

import tempfile
from pathlib import Path

import filelock
import pytest

from fleet_commands import end_drivers
from inferometer.frameworks import environments, requirements
from ray_nodes import ray_cluster
from steprunner import write_onnx


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx")) / "image.onnx"


@pytest.fixture(scope="module")
def no_other_ray():
    """Wait until no other process of these tests has a Ray on this machine."""
    with filelock.FileLock(Path(tempfile.gettempdir()) / "inferometer-tests-ray.lock"):
        yield


@pytest.fixture(scope="module")
def cluster(no_other_ray, model, tmp_path_factory):
    """A head without a CPU and two nodes of two kinds."""
    log = tmp_path_factory.mktemp("environments") / "log"
    for name in ("onnxrt", "openvino", "loadgen"):
        environments.ensure(requirements.read(name, "cpu"), log, lambda text: None)
    kinds = {"first": {"cpu": "CPU A"}, "second": {"cpu": "CPU B"}}
    with ray_cluster(environments.environments_folder(), kinds) as started:
        yield started


@pytest.fixture(autouse=True)
def no_driver_left():
    """Let no run over a cluster outlive its test."""
    yield
    end_drivers()
