"""A real Ray cluster on this machine: a head, and nodes that pretend to be other hardware."""

import pytest

from inferometer.frameworks import environments, requirements
from ray_nodes import ray_cluster
from steprunner import write_onnx


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx")) / "image.onnx"


@pytest.fixture(scope="module")
def cluster(model, tmp_path_factory):
    """A head without a CPU and two nodes of two kinds."""
    log = tmp_path_factory.mktemp("environments") / "log"
    for name in ("onnxrt", "openvino", "loadgen"):
        environments.ensure(requirements.read(name, "cpu"), log, lambda text: None)
    kinds = {"first": {"cpu": "CPU A"}, "second": {"cpu": "CPU B"}}
    with ray_cluster(environments.environments_folder(), kinds) as started:
        yield started
