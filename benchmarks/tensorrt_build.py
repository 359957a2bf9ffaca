"""Measures how long TensorRT for RTX builds an engine without a GPU, for docs/tensorrt.md's claim of 0.8 to 2.0 s.

    python benchmarks/tensorrt_build.py [MODEL] [--target sm_86] [--batch-sizes 8] [--precisions fp32,fp16] [--times 3]
                                        [--out FILE.json]

The model becomes ONNX by inferometer's own conversion. Each engine is built ``--times`` times without any cache, the
builds of all precisions and sizes in turn; median, smallest and largest are told, with the engine's bytes and the type
that each layer writes. Nothing is run: what an engine computes is not checked here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from inferometer.frameworks import environments, requirements
from inferometer.models.contract import Artifact, ModelRequest
from inferometer.models.prepare import prepare
from inferometer.models.sources import resolve
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.records import Protocol
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.worker.backends.parts import trt_build

# Runs in the environment of TensorRT for RTX: the package's light modules are read from the source, nothing is installed.
BUILDS = """
import json, sys, time, types
package = types.ModuleType("inferometer")
package.__path__ = [sys.argv[1]]
sys.modules["inferometer"] = package
from pathlib import Path
import tensorrt_rtx
from inferometer.worker.backends.parts import trt_build
onnx, target, wanted, times = Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]), int(sys.argv[5])
for _ in range(times):
    for precision, shapes in wanted:
        start = time.monotonic()
        engine = trt_build.build_engine(tensorrt_rtx, onnx, precision, shapes, target=target)
        build_s = time.monotonic() - start
        print(json.dumps([build_s, len(engine.data), engine.facts["layer_types"]]), flush=True)
"""


def export(model: str, folder: Path) -> Artifact:
    """Return the model as ONNX, made by the project's own conversion."""
    request = RunRequest(protocol=Protocol(threads=2))
    ready = ReadyEnvironments(request, Plan({}, (), ()), folder / "logs", print)
    asked = ModelRequest(model).located()
    made = prepare(asked, resolve(asked), {"onnx"}, ready.run_step, folder / "models", progress=print)
    if "onnx" not in made.artifacts:
        raise SystemExit(f"no ONNX of {model}: {made.missing['onnx']}")
    return made.artifacts["onnx"]


def build(onnx: Path, target: str, wanted: list[Any], times: int, folder: Path) -> list[list[Any]]:
    """Return what each build told, in order: seconds, bytes, layers by type."""
    environment = environments.ensure(
        requirements.read("tensorrt-rtx", "cuda13"), folder / "build.log", print
    )
    source = Path(trt_build.__file__).parents[3]
    arguments = [str(source), str(onnx), target, json.dumps(wanted), str(times)]
    done = subprocess.run(
        [environment.python, "-P", "-c", BUILDS, *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"a build failed after {len(done.stdout.splitlines())} of {len(wanted) * times}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", nargs="?", default="mobilenet_v3_large")
    parser.add_argument("--target", default="sm_86")
    parser.add_argument("--batch-sizes", default="8")
    parser.add_argument("--precisions", default="fp32,fp16")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artifact = export(arguments.model, folder)
        kinds = [
            (precision, int(size))
            for precision in arguments.precisions.split(",")
            for size in arguments.batch_sizes.split(",")
        ]
        wanted = [
            (precision, {spec.name: (size, *spec.shape[1:]) for spec in artifact.inputs})
            for precision, size in kinds
        ]
        told = build(artifact.path, arguments.target, wanted, arguments.times, folder)
    rows = []
    for position, (precision, size) in enumerate(kinds):
        builds = told[position :: len(kinds)]
        seconds = [round(build_s, 3) for build_s, _, _ in builds]
        rows.append(
            {
                "precision": precision, "batch_size": size, "target": arguments.target, "build_s": seconds,
                "bytes": builds[0][1], "layer_types": builds[0][2],
            }
        )  # fmt: skip
        print(
            f"{precision:5} {size:4}  {statistics.median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
            f"  {builds[0][1] / 1e6:6.1f} MB  {builds[0][2]}"
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
