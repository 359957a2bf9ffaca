"""`inferometer run --cluster` as a process, and what it leaves."""

import os
import subprocess
import sys
from pathlib import Path

from inferometer.storage.run_directory import read_run
from processes import wait_for

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

_started = []


def command(*arguments):
    return [sys.executable, "-m", "inferometer", "run", *map(str, arguments)]


def run(cluster, *arguments, address="", **settings):
    address = address or f"127.0.0.1:{cluster.port}"
    return subprocess.run(
        command("--cluster", address, *arguments), capture_output=True, text=True, check=False, timeout=240, **settings
    )  # fmt: skip


def started(cluster, out, model, *options, errors=os.devnull, address=""):
    """Start a run of onnxrt over a cluster and return its process; ``errors``: a file for all that it says."""
    address = address or f"127.0.0.1:{cluster.port}"
    words = command("--cluster", address, model, "--frameworks", "onnxrt", *options, "--out", out)
    with Path(errors).open("wb") as log:
        driver = subprocess.Popen(words, stdout=log, stderr=log)
    _started.append(driver)
    return driver


def end_drivers():
    """End what a test that failed has left, which would disturb others."""
    while _started:
        driver = _started.pop()
        driver.kill()  # which does nothing to one that ended
        driver.wait()


def wait(holds, within_s=180):
    wait_for(holds, within_s)


def measured(out):
    """Return the batch sizes that each node measured, by framework."""
    return {
        path.name: sorted((record.cell.framework, record.cell.batch_size) for record in read_run(path).records if record.status == "ok")
        for path in (out / "nodes").iterdir()
    }  # fmt: skip


def records_in(out):
    return sum(path.read_bytes().count(b"\n") for path in out.glob("nodes/*/cells.jsonl"))
