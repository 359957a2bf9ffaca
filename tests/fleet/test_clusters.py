"""One command over a cluster on which nothing goes wrong but the command."""

import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from fleet_commands import LONG, command, measured, records_in, run, started, wait
from inferometer.fleet.connection import connected
from inferometer.fleet.remote import on_node
from inferometer.frameworks import environments
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import read_run
from parts import needed
from ray_nodes import free_port
from short_run import short_run

needed("ray")
pytestmark = pytest.mark.environment
SHORT = short_run("1,2")


def test_a_cluster_of_its_own_is_there_for_as_long_as_the_run(no_other_ray, model, tmp_path):
    """The first test: where another Ray runs on this machine, that is the local one."""
    from ray._private.services import find_gcs_addresses

    if find_gcs_addresses():
        pytest.skip("another Ray runs on this machine")
    out, chosen = tmp_path / "fleet", ["--frameworks", "onnxrt", *short_run("1")]
    cache = environments.environments_folder().parent
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # a short path: Ray puts sockets below it
        killed = Path(folder, "ray", "ray_current_cluster")
        killed.parent.mkdir()
        killed.write_text(f"127.0.0.1:{free_port()}")  # as a Ray that was killed leaves it
        done = subprocess.run(
            command("--cluster", "local", model, *chosen, "--out", out), capture_output=True, text=True, check=False, timeout=240,
            env={**os.environ, "HOME": str(tmp_path), "INFEROMETER_CACHE": str(cache), "RAY_TMPDIR": folder},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".ray").exists()  # a token there would be asked for by every cluster to come
    assert [*measured(out).values()] == [[("onnxrt", 1)]]
    wait(lambda: not find_gcs_addresses())


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


def test_a_linked_file_with_weights_beside_it_is_measured_on_each_node(cluster, model, tmp_path):
    """As a hub's cache has it."""
    for name in ("external.onnx", "parts"):
        (tmp_path / name).symlink_to(model.parent / name)
    file, out = tmp_path / "external.onnx", tmp_path / "fleet"
    done = run(cluster, file, "--frameworks", "onnxrt", *short_run("1"), "--out", out)
    assert done.returncode == 0, done.stderr
    assert measured(out) == {"first": [("onnxrt", 1)], "second": [("onnxrt", 1)]}


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


def test_a_node_is_of_the_kind_of_the_cards_that_it_sees(cluster, model):
    cards = [{"index": i, "uuid": f"GPU-{i}", "name": f"Card {i}", "driver": "580"} for i in range(2)]
    cluster.start_node("one-of-two", gpu="1", gpus=cards)
    try:
        done = run(cluster, model, "--frameworks", "onnxrt", *SHORT, "--dry-run")
    finally:
        cluster.kill("one-of-two")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^Card 1 \(driver 580\), .*: one-of-two\n  2 cells: onnxrt on cuda:1$", done.stdout, re.M
    )


def test_a_node_on_which_nothing_can_be_built_is_told_with_the_cause(cluster, model, tmp_path):
    cluster.start_node("bare", without="openvino", cpu="CPU C")
    out = tmp_path / "fleet"
    try:
        done = run(cluster, model, "--frameworks", "openvino", *SHORT, "--out", out)
    finally:
        cluster.kill("bare")
    assert done.returncode == 1
    assert re.search(
        r"^bare: CPU C, \d+ CPUs: failed \(nothing was measured: openvino: cannot build environment 'openvino': .+\)$",
        done.stdout,
        re.M,
    )
    assert {name: bool(cells) for name, cells in measured(out).items()} == {
        "first": True,
        "second": True,
        "bare": False,
    }


def test_what_no_cluster_can_do_is_one_line(cluster, model, tmp_path):
    done = run(
        cluster, model, "--frameworks", "onnxrt", *SHORT, "--nodes", "gpu=H100", "--out", tmp_path / "none"
    )
    assert done.returncode == 2 and "none is of a kind that --nodes asks for" in done.stderr
    assert not (tmp_path / "none").exists()
    done = run(cluster, "--resume", tmp_path / "unknown")
    assert done.returncode == 2 and "no node of the cluster keeps a part" in done.stderr
    done = run(cluster, model, address="127.0.0.1:9")
    assert done.returncode == 2 and "no Ray cluster answers" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_driver_that_is_gone_is_resumed_from_elsewhere(cluster, model, tmp_path):
    out, copy = tmp_path / "fleet", tmp_path / "model.onnx"
    copy.write_bytes(model.read_bytes())
    driver = started(cluster, out, copy, *LONG)
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
    for path in out.glob("nodes/*/run.json"):
        node = path.parent.name
        come = read_run(path.parent).records
        assert (
            come == read_run(elsewhere / name / "nodes" / node).records[: len(come)]
        )  # kept, not measured again


@pytest.mark.parametrize("by_client", [False, True])
def test_a_node_that_is_held_takes_nothing_else_and_one_that_is_not_is_let_go(cluster, by_client):
    address = f"ray://127.0.0.1:{cluster.client_port}" if by_client else f"127.0.0.1:{cluster.port}"
    sigterm = signal.getsignal(signal.SIGTERM)
    with connected(address) as found:
        import ray

        assert signal.getsignal(signal.SIGTERM) == sigterm  # Ray has one of its own
        first, second = [each for each in found.ask(found.seen(), "fleet", print) if not each.refusal]
        agent = found.hold(first, "fleet", "one")
        wait(lambda: agent.is_there(1.0))
        found.let_go()
        wait(lambda: len(cluster.measuring()) == 1)  # ready to, where it is held
        (ready,) = cluster.measuring()
        if os.geteuid() == 0:  # others may not
            assert os.getpriority(os.PRIO_PROCESS, ready) == os.nice(0)
        beside, elsewhere = [
            ray.remote(num_cpus=1)(lambda: True).options(scheduling_strategy=on_node(each.id)).remote()
            for each in (first, second)
        ]
        assert ray.get(elsewhere, timeout=60)
        assert not ray.wait([beside], timeout=2)[0]
        agent.release()
        assert ray.get(beside, timeout=60)
        wait(lambda: not cluster.measuring())
