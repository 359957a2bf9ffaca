"""One command over a real Ray cluster on this machine: a head, and nodes that pretend to be other hardware."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from inferometer.frameworks import environments, requirements
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import read_run
from parts import needed
from ray_nodes import ray_cluster
from short_run import short_run
from steprunner import write_onnx

needed("ray")
pytestmark = pytest.mark.environment
SHORT = short_run("1,2")
# cells that last, so that something can happen to the node meanwhile
LONG = [
    "--batch-sizes",
    "1,2,4",
    "--images",
    "4",
    "--rounds",
    "1",
    "--loops",
    "100000",
    "--budget",
    "3",
    "--energy-window",
    "3",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx")) / "image.onnx"


@pytest.fixture(scope="module")
def cluster(model, tmp_path_factory):
    """A head without a CPU and two nodes of two kinds."""
    log = tmp_path_factory.mktemp("environments") / "log"
    for name in ("onnxrt", "openvino"):
        environments.ensure(requirements.read(name, "cpu"), log, lambda text: None)
    kinds = {"first": {"cpu": "CPU A"}, "second": {"cpu": "CPU B"}}
    with ray_cluster(environments.environments_folder(), kinds) as started:
        yield started


def test_a_cluster_of_its_own_is_there_for_as_long_as_the_run(model, tmp_path):
    """The first test: where another Ray runs on this machine, that is the local one."""
    from ray._private.services import find_gcs_addresses

    if find_gcs_addresses():
        pytest.skip("another Ray runs on this machine")
    out, chosen = tmp_path / "fleet", ["--frameworks", "onnxrt", *short_run("1")]
    cache = environments.environments_folder().parent
    done = subprocess.run(
        command("--cluster", "local", model, *chosen, "--out", out), capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(tmp_path), "INFEROMETER_CACHE": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".ray").exists()  # a token there would be asked for by every cluster to come
    assert [*measured(out).values()] == [[("onnxrt", 1)]]
    wait(lambda: not find_gcs_addresses())


def command(*arguments):
    return [sys.executable, "-m", "inferometer", "run", *map(str, arguments)]


def run(cluster, *arguments, address="", **settings):
    address = address or f"127.0.0.1:{cluster.port}"
    return subprocess.run(
        command("--cluster", address, *arguments), capture_output=True, text=True, check=False, timeout=240, **settings
    )  # fmt: skip


def wait(holds, within_s=180):
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def measured(out):
    """Return the batch sizes that each node measured, by framework."""
    return {
        path.name: sorted((record.cell.framework, record.cell.batch_size) for record in read_run(path).records if record.status == "ok")
        for path in (out / "nodes").iterdir()
    }  # fmt: skip


def records_in(out):
    return sum(path.read_bytes().count(b"\n") for path in out.glob("nodes/*/cells.jsonl"))


def test_one_node_of_each_kind_measures_and_the_merged_view_has_both(cluster, model, tmp_path):
    out = tmp_path / "fleet"
    named = {**os.environ, "RAY_ADDRESS": f"127.0.0.1:{cluster.port}"}  # others may run here
    done = run(
        cluster, model, "--frameworks", "onnxrt,openvino,tensorrt-rtx", *SHORT, "--out", out, "--report",
        address="local", env=named,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = [(name, size) for name in ("onnxrt", "openvino") for size in (1, 2)]
    assert measured(out) == {"first": cells, "second": cells}
    merged = find_runs(out)
    assert sorted(read_run(path).info.machine.cpu for path in merged) == ["CPU A", "CPU B"]
    assert all(path.parent == out / "merged" for path in merged)
    assert "needs an NVIDIA GPU" in read_run(merged[0]).info.skips[0].reason
    assert (out / "report.html").exists() and "image on CPU B" in done.stdout
    # the model's file and its converted form came to each node's cache, by their keys, and none was converted there
    for name in ("first", "second"):
        assert len([*(cluster.folder / name / "fleet-files").glob("*/image.onnx")]) == 1
        logs = {path.name for path in (out / "nodes" / name / "logs").iterdir()}
        assert not any(name.startswith("onnx_source") for name in logs)


def test_a_plan_shows_each_kind_with_its_own_skips(cluster, model):
    done = run(
        cluster,
        model,
        "--frameworks",
        "onnxrt,tensorrt-rtx",
        *SHORT,
        "--dry-run",
        address=f"ray://127.0.0.1:{cluster.client_port}",
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"CPU A, \d+ CPUs: first\n  2 cells: onnxrt on cpu\n  skip tensorrt-rtx: needs an NVIDIA GPU",
        done.stdout,
    )
    assert "--num-cpus 0" in done.stderr  # of the head
    assert (cluster.folder / "died").exists()  # the head's first process for a driver; the next was asked for


def test_ctrl_c_ends_the_nodes_and_the_run_goes_on(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    with errors.open("wb") as log:
        driver = subprocess.Popen(
            command("--cluster", f"127.0.0.1:{cluster.port}", model, "--frameworks", "onnxrt", *LONG, "--batch-sizes", "1,2", "--out", out),
            stderr=log, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    wait(lambda: records_in(out) >= 1)
    kept = (out / "nodes" / "first" / "cells.jsonl").read_bytes()
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=120) == 130
    told = errors.read_text()
    assert ": interrupted; what it had measured is kept" in told and "Traceback" not in told
    wait(lambda: not cluster.measuring())
    again = shlex.split(told.splitlines()[-1].partition("go on with: inferometer run ")[2])
    done = subprocess.run(command(*again), capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    cells = [("onnxrt", size) for size in (1, 2)]
    assert measured(out) == {"first": cells, "second": cells}
    assert (out / "nodes" / "first" / "cells.jsonl").read_bytes().startswith(kept)


def test_a_second_ctrl_c_does_not_wait_for_nodes_that_hang(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    with errors.open("wb") as log:
        driver = subprocess.Popen(
            command("--cluster", f"127.0.0.1:{cluster.port}", model, "--frameworks", "onnxrt", *LONG, "--out", out),
            stderr=log, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    wait(lambda: records_in(out) >= 1)
    kept = records_in(out)
    hanging = cluster.measuring()
    try:
        for process in hanging:
            os.kill(process, signal.SIGSTOP)
        driver.send_signal(signal.SIGINT)
        wait(lambda: "waiting for the nodes to end" in errors.read_text())
        driver.send_signal(signal.SIGINT)
        assert driver.wait(timeout=30) == 130  # a hanging node is given 60 s after the first
    finally:
        for process in hanging:
            os.kill(process, signal.SIGCONT)
    told = errors.read_text()
    assert (
        "go on with: inferometer run" in told and "Traceback" not in told and "Exception ignored" not in told
    )
    assert records_in(out) >= kept
    wait(lambda: not cluster.measuring())


def test_what_no_cluster_can_do_is_one_line(cluster, model, tmp_path):
    done = run(
        cluster, model, "--frameworks", "onnxrt", *SHORT, "--nodes", "gpu=H100", "--out", tmp_path / "none"
    )
    assert done.returncode == 2 and "none is of a kind that --nodes asks for" in done.stderr
    assert not (tmp_path / "none").exists()
    done = run(cluster, "--resume", tmp_path / "unknown")
    assert done.returncode == 1 and "no node of the cluster keeps a part" in done.stderr
    done = run(cluster, model, address="127.0.0.1:9")
    assert done.returncode == 2 and "no Ray cluster answers" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_driver_that_is_gone_is_resumed_from_elsewhere(cluster, model, tmp_path):
    out, copy = tmp_path / "fleet", tmp_path / "model.onnx"
    copy.write_bytes(model.read_bytes())
    driver = subprocess.Popen(
        command("--cluster", f"127.0.0.1:{cluster.port}", copy, "--frameworks", "onnxrt", *LONG, "--out", out),
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wait(lambda: records_in(out) >= 1)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    copy.unlink()  # the other host does not have it
    name = json.loads((out / "fleet.json").read_text())["name"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = {**os.environ, "INFEROMETER_CACHE": str(elsewhere / "cache")}
    (elsewhere / "cache").mkdir()
    (elsewhere / "cache" / "environments").symlink_to(environments.environments_folder())
    done = run(cluster, "--resume", name, cwd=elsewhere, env=other)
    assert done.returncode == 0, done.stderr
    cells = [("onnxrt", size) for size in (1, 2, 4)]
    assert measured(elsewhere / name) == {"first": cells, "second": cells}
    first = read_run(out / "nodes" / "first").records[0]
    assert first in read_run(elsewhere / name / "nodes" / "first").records  # kept, not measured again


def test_a_node_that_dies_is_replaced_by_one_that_comes_late(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    with errors.open("wb") as log:
        driver = subprocess.Popen(
            command("--cluster", f"127.0.0.1:{cluster.port}", model, "--frameworks", "onnxrt", *LONG, "--out", out),
            stderr=log, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    wait(lambda: (out / "nodes" / "first" / "cells.jsonl").exists() and records_in(out) >= 1)
    cluster.kill("first")
    cluster.start_node("third", cpu="CPU A")
    cluster.start_node("old", version="0.0.9", cpu="CPU C")
    assert driver.wait(timeout=240) == 1, errors.read_text()  # a node was lost
    told = errors.read_text()
    assert "node first is lost" in told and "came late: third" in told
    assert "is left out: it has inferometer 0.0.9, here is" in told
    cells = [("onnxrt", size) for size in (1, 2, 4)]
    found = measured(out)
    assert found["second"] == found["third"] == cells
    assert found["first"] and set(found["first"]) <= set(cells)  # nothing is lost
