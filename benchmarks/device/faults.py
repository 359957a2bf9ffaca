"""Proves that what goes wrong on a GPU is told as what it is, for docs/results/h100.md's table of faults.

    ROOT/bin/core benchmarks/device/faults.py --root ROOT --work FOLDER [--device cuda:0] [FAULT...]

    memory     batch size 65536 ends as out-of-memory, the next size is skipped with that reason
    killed     a worker killed in its loops ends as killed, and the card's memory is as before
    neighbour  a process that computes on the same GPU is flagged in the cell
    fallback   ONNX Runtime and TensorFlow without their CUDA libraries: no cell is ok
    refusal    TensorRT for RTX on a GPU that it has no code for is skipped with the reason

Writes faults.json: for each, what was expected, what came, and whether they agree.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import psutil

from inferometer.host.gpu_snapshot import NvmlReader
from inferometer.host.gpus import find_gpus
from inferometer.storage.run_directory import read_run

NEIGHBOUR = """
import sys, time, torch
held = torch.empty(2 * 2**30, dtype=torch.uint8, device="cuda")
a = torch.randn(2048, 2048, device="cuda")
print("ready", flush=True)
end = time.time() + 180
while time.time() < end:
    for _ in range(50): b = a @ a
    torch.cuda.synchronize(); time.sleep(0.02)
"""


@dataclass(frozen=True)
class Bench:
    """Where to run, and how."""

    root: Path
    work: Path
    device: str

    @property
    def uuid(self) -> str:
        return find_gpus()[0][int(self.device.partition(":")[2])].uuid

    def start(self, name: str, frameworks: str, *options: str, **pythons: str) -> subprocess.Popen[bytes]:
        """Start a run into WORK/NAME."""
        command = [
            sys.executable,
            "-m",
            "inferometer",
            "run",
            "mobilenet_v3_large",
            "--frameworks",
            frameworks,
        ]
        for environment, program in pythons.items():
            command += ["--python", f"{environment}={self.root / 'bin' / program}"]
        command += ["--device", self.device, "--rounds", "1", "--out", str(self.work / name), *options]
        self.work.mkdir(parents=True, exist_ok=True)
        with (self.work / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def run(self, name: str, frameworks: str, *options: str, **pythons: str):
        """Return the stored run."""
        child = self.start(name, frameworks, *options, **pythons)
        try:
            child.wait(240)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)  # what it has measured is kept
            child.wait(30)
        return read_run(self.work / name)

    def used_bytes(self) -> int:
        return NvmlReader().read(self.uuid).used_bytes


SHORT = ("--batch-sizes", "8", "--images", "64", "--loops", "3", "--warmup", "2", "--budget", "3")


def memory(bench: Bench) -> dict:
    sizes = ("--batch-sizes", "65536,65600", "--images", "65600", "--loops", "1", "--warmup", "1")
    stored = bench.run("memory", "torch", *sizes, torch="torch")
    found = [(r.cell.batch_size, r.status, r.cause) for r in stored.records]
    states = [status for _, status, _ in found]
    return {
        "expected": ["out-of-memory", "skipped"],
        "found": found,
        "ok": states == ["out-of-memory", "skipped"],
    }


def killed(bench: Bench) -> dict:
    before = bench.used_bytes()
    long = (
        "--batch-sizes",
        "64",
        "--images",
        "512",
        "--loops",
        "100000",
        "--warmup",
        "5",
        "--timeout",
        "120",
    )
    parent = bench.start("killed", "torch", *long, torch="torch")
    worker = _worker_on(bench, parent, before)
    held = bench.used_bytes() - before
    os.kill(worker, signal.SIGKILL)
    parent.wait(60)
    time.sleep(1)
    left = bench.used_bytes() - before
    found = [(r.status, r.cause) for r in read_run(bench.work / "killed").records]
    ok = [status for status, _ in found] == ["killed"] and left < 32 * 2**20 < held
    return {
        "expected": "killed, memory as before",
        "found": found,
        "held_bytes": held,
        "left_bytes": left,
        "ok": ok,
    }


def _worker_on(bench: Bench, parent: subprocess.Popen[bytes], before: int) -> int:
    """Return the worker's process number once it has been in its loops for a while."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        time.sleep(0.5)
        children = [c for c in psutil.Process(parent.pid).children() if "worker" in " ".join(c.cmdline())]
        if children and bench.used_bytes() - before > 400 * 2**20:
            time.sleep(6)
            return children[0].pid
    raise RuntimeError("no worker came to the GPU within 90 s")


def neighbour(bench: Bench) -> dict:
    program = bench.root / "bin" / "torch"
    other = subprocess.Popen([program, "-c", NEIGHBOUR], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        stored = bench.run("neighbour", "torch", *SHORT, torch="torch")
    finally:
        other.kill()
        other.wait()
    kinds = [[flag.kind for flag in record.flags] for record in stored.records]
    ok = bool(kinds) and all("gpu-neighbour" in each for each in kinds)
    return {"expected": "flag gpu-neighbour", "found": kinds, "ok": ok}


def fallback(bench: Bench) -> dict:
    found = {}
    for environment, rows in (("onnxrt", "onnxrt"), ("tf", "tf,keras")):
        if (bench.root / "bin" / f"{environment}-broken").exists():
            name = f"fallback-{environment}"
            stored = bench.run(name, rows, *SHORT, **{environment: f"{environment}-broken"})
            found.update({r.cell.framework: (r.status, r.cause) for r in stored.records})
    ok = bool(found) and all(status != "ok" for status, _ in found.values())
    return {"expected": "no cell is ok", "found": found, "ok": ok}


def refusal(bench: Bench) -> dict:
    stored = bench.run("refusal", "tensorrt-rtx,torch", *SHORT, torch="torch")
    found = {skip.cell.framework: skip.reason for skip in stored.info.skips}
    return {
        "expected": "skipped: compute capability",
        "found": found,
        "ok": "compute capability" in found.get("tensorrt-rtx", ""),
    }


FAULTS = {
    "memory": memory,
    "killed": killed,
    "neighbour": neighbour,
    "fallback": fallback,
    "refusal": refusal,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faults", nargs="*", default=[*FAULTS])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--device", default="cuda:0")
    arguments = parser.parse_args()
    bench = Bench(arguments.root, arguments.work / time.strftime("%H%M%S"), arguments.device)
    results = {}
    for name in ("refusal", "fallback", "neighbour", "killed", "memory"):
        if name not in arguments.faults:
            continue
        begin = time.monotonic()
        try:
            results[name] = FAULTS[name](bench)
        except Exception as error:  # the other faults are still worth seeing
            traceback.print_exc()
            results[name] = {"found": f"{type(error).__name__}: {error}", "ok": False}
        results[name]["seconds"] = round(time.monotonic() - begin, 1)
        print(name, json.dumps(results[name]), flush=True)
        (bench.work / "faults.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
