"""One command over a cluster that is interrupted, and whose nodes die, fail, or are somebody else's."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys

import pytest

from fleet_commands import LONG, command, measured, records_in, run, started, wait
from inferometer.fleet.connection import connected
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import read_run
from parts import needed
from short_run import short_run
from tunnel import tunnel

needed("ray")
pytestmark = pytest.mark.environment
# holds a node of a cluster, as another job does
HOLDER = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False)
@ray.remote(num_cpus=1)
class Holder:
    def there(self): return True
holder = Holder.remote()
print(ray.get(holder.there.remote()), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_nodes_and_the_run_goes_on(cluster, model, tmp_path, number):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    driver = started(cluster, out, model, *LONG, "--batch-sizes", "1,2", errors=errors)
    wait(lambda: records_in(out) >= 1)
    kept = {path: path.read_bytes() for path in out.glob("nodes/*/cells.jsonl")}
    driver.send_signal(number)
    assert driver.wait(timeout=120) == 128 + number
    told = errors.read_text()
    assert ": interrupted; what it had measured is kept" in told and "Traceback" not in told
    wait(lambda: not cluster.measuring())
    again = shlex.split(told.splitlines()[-1].partition("go on with: inferometer run ")[2])
    done = subprocess.run(command(*again), capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    cells = [("onnxrt", size) for size in (1, 2)]
    assert measured(out) == {"first": cells, "second": cells}
    assert kept and all(path.read_bytes().startswith(content) for path, content in kept.items())


def test_a_second_ctrl_c_does_not_wait_for_nodes_that_hang(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    driver = started(cluster, out, model, *LONG, errors=errors)
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
            with contextlib.suppress(ProcessLookupError):  # Ray ends what its processes have started
                os.kill(process, signal.SIGCONT)
    told = errors.read_text()
    assert (
        "go on with: inferometer run" in told and "Traceback" not in told and "Exception ignored" not in told
    )
    assert records_in(out) >= kept
    wait(lambda: not cluster.measuring())


@contextlib.contextmanager
def another_job(cluster):
    """Let another job of the cluster hold one of its nodes."""
    words = [sys.executable, "-c", HOLDER, f"127.0.0.1:{cluster.port}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as job:
        try:
            assert job.stdout.readline().strip() == b"True"
            yield
        finally:
            job.kill()


def test_ctrl_c_does_not_wait_for_a_node_that_another_job_holds(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    with another_job(cluster):
        driver = started(cluster, out, model, *LONG, "--rounds", "3", errors=errors)
        try:
            wait(lambda: driver.poll() is not None or "another job may have its CPUs" in errors.read_text())
            wait(lambda: driver.poll() is not None or records_in(out) >= 1)
            assert driver.poll() is None, errors.read_text()
            driver.send_signal(signal.SIGINT)
            assert driver.wait(timeout=60) == 130
        finally:
            driver.kill()
    told = errors.read_text()
    assert ": interrupted before it began" in told and "Traceback" not in told
    (busy,) = [path.parent.name for path in out.glob("nodes/*/run.json")]
    assert f"waiting for the nodes to end what they are at: {busy}\n" in told
    wait(lambda: not cluster.measuring())


def test_an_equal_node_measures_where_another_job_holds_the_first(cluster, model, tmp_path):
    out = tmp_path / "fleet"
    cluster.start_node("further", cpu="CPU A")
    try:
        with connected(f"127.0.0.1:{cluster.port}") as found:
            (first,) = [each for each in found.ask(found.seen(), "other", print) if each.name == "first"]
            other = found.hold(first, "other", "first")
            wait(lambda: other.is_there(1.0))
            found.let_go()
            done = run(cluster, model, "--frameworks", "onnxrt", *short_run("1"), "--out", out)
            other.release()
    finally:
        cluster.kill("further")
    assert done.returncode == 0, done.stderr
    assert "node first: another job may have its CPUs or GPUs; an equal node is taken instead" in done.stderr
    assert measured(out) == {name: [("onnxrt", 1)] for name in ("further", "second")}
    assert "first" not in done.stdout


def test_an_equal_node_measures_for_one_that_fails_and_not_again_once_it_is_gone(cluster, model, tmp_path):
    out, copy = tmp_path / "fleet", tmp_path / "model.onnx"
    copy.write_bytes(model.read_bytes())
    for name in ("broken", "equal"):
        cluster.start_node(name, cpu="CPU E")
    (cluster.folder / "broken" / "fleet-incoming").touch()  # where a folder is to be made
    done = run(cluster, copy, "--frameworks", "onnxrt", *short_run("1"), "--out", out)
    assert done.returncode == 1 and "node broken: " in done.stderr
    cells = {name: [("onnxrt", 1)] for name in ("equal", "first", "second")}
    assert measured(out) == cells
    cluster.kill("equal")
    (cluster.folder / "broken" / "fleet-incoming").unlink()  # it could measure now
    again = run(cluster, "--resume", out)
    assert again.returncode == 0, again.stderr
    assert measured(out) == cells and "broken" not in again.stdout
    copy.write_bytes(model.read_bytes() + b"\x00")
    changed = run(cluster, "--resume", out)
    assert changed.returncode == 1 and "model.onnx was changed after the run began" in changed.stderr
    assert measured(out) == cells
    cluster.kill("broken")


def test_what_a_node_did_under_load_is_kept_when_it_dies(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    loaded = [*short_run("1"), "--scenarios", "single-stream,offline", "--max-batch", "2"]
    cluster.start_node("loaded", cpu="CPU L")
    driver = started(cluster, out, model, *loaded, errors=errors)
    came = out / "nodes" / "loaded" / "scenarios.jsonl"
    wait(lambda: came.exists() and came.read_bytes().endswith(b"\n"))
    cluster.kill("loaded")
    assert driver.wait(timeout=240) == 1, errors.read_text()
    assert "node loaded is lost" in errors.read_text()
    kept = read_run(out / "nodes" / "loaded").scenarios
    assert 1 <= len(kept) < len(read_run(out / "nodes" / "second").scenarios) == 2
    merged = {each.info.machine.cpu: each for each in map(read_run, find_runs(out))}
    assert len(merged["CPU L"].scenarios) == len(kept) and len(merged["CPU B"].scenarios) == 2
    assert any((merged["CPU B"].path / "scenarios").iterdir()), "LoadGen's own logs come at the end"


def test_a_node_that_dies_is_replaced_by_one_that_comes_late(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    driver = started(cluster, out, model, *LONG, errors=errors)
    wait(lambda: records_in(out) >= 1)
    gone = next(out.glob("nodes/*/cells.jsonl")).parent.name  # the other waits for the machine
    other, cpu = {"first": ("second", "CPU A"), "second": ("first", "CPU B")}[gone]
    cluster.kill(gone)
    cluster.start_node("third", cpu=cpu)
    cluster.start_node("old", version="0.0.9", cpu="CPU C")
    assert driver.wait(timeout=240) == 1, errors.read_text()  # a node was lost
    told = errors.read_text()
    assert f"node {gone} is lost" in told and "came late: third" in told
    assert "is left out: it has inferometer 0.0.9, here is" in told
    cells = [("onnxrt", size) for size in (1, 2, 4)]
    found = measured(out)
    assert found[other] == found["third"] == cells
    assert found[gone] and set(found[gone]) <= set(cells)  # nothing is lost


def test_a_connection_that_breaks_for_a_moment_ends_nothing(cluster, model, tmp_path):
    out, errors = tmp_path / "fleet", tmp_path / "errors"
    with tunnel(cluster.client_port) as way:
        address = f"ray://127.0.0.1:{way.port}"
        driver = started(cluster, out, model, *LONG, "--batch-sizes", "1,2", errors=errors, address=address)
        wait(lambda: driver.poll() is not None or records_in(out) >= 1)
        way.cut()
        wait(lambda: driver.poll() is not None or "the cluster does not answer (" in errors.read_text(), 25)
        way.mend()
        assert driver.wait(timeout=240) == 0, errors.read_text()
    told = errors.read_text()
    assert told.count("the cluster does not answer (") == 1
    assert "Traceback" not in told and "Log channel" not in told, told
    assert "the cluster answers again" in told
    cells = [("onnxrt", size) for size in (1, 2)]
    assert [*measured(out).values()] == [cells, cells]  # one of each kind, whichever is there still
