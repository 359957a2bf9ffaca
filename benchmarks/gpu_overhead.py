"""Measures inferometer's loop over a hand-written one on a GPU, for docs/results/h100.md's claim that all ratios are 0.98 to 1.02.

    python benchmarks/gpu_overhead.py [--python torch=PATH --python onnxrt=PATH ...] [--device cuda:0] [--out DIR]
                                      [--only torch,jax] [--batch-sizes 64,512] [--pairs 3]

Each framework by its fastest way: torch-compile in fp16 channels_last, and jax, tfxla and onnxrt (io-binding) in fp32, in
device mode; tfxla:naive in host mode too. Both sides take turns (benchmarks/interleaved.py). A table is written after every pair, so an interrupted call
keeps what it has. A framework without environment or interpreter is said and left out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from contests import Contest, Result, report
from interleaved import Arena

from inferometer.errors import InferometerError
from inferometer.records import Protocol

CONTESTS = {
    "onnxrt": Contest("onnxrt:io-binding", "onnxrt-cuda-device", mode="device"),
    "torch": Contest("torch-compile:channels_last", "torch-compile-half-device", "fp16", "device"),
    "jax": Contest("jax", "jax-device", mode="device"),
    "tf": Contest("tfxla", "tfxla-device", mode="device"),
    "tf-host": Contest("tfxla:naive", "tfxla-host"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", action="append", default=[], help="NAME=PATH, as for inferometer run")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--only", default=",".join(CONTESTS))
    parser.add_argument("--batch-sizes", default="64,512")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of fresh processes")
    parser.add_argument(
        "--turns",
        type=int,
        default=2,
        help="turns of each pair at each batch size (inferometer compiles in each)",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="that a turn takes at least")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="gpu-overhead-"))
    python = {name: Path(path) for name, _, path in (item.partition("=") for item in arguments.python)}
    sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    protocol = Protocol(images=arguments.images, warmup=arguments.warmup, loops=1, threads=arguments.threads)
    results: list[Result] = []
    for name in arguments.only.split(","):
        try:
            arena = Arena([CONTESTS[name]], sizes, protocol, folder / name, arguments.device, python)
        except InferometerError as error:
            print(f"{name}: left out: {error}")
            continue
        results.append(Result(CONTESTS[name]))
        try:
            for results[-1] in arena.turns(
                CONTESTS[name], arguments.pairs, arguments.turns, arguments.seconds
            ):
                print(report(results, arena.sizes, folder, "gpu-overhead"), flush=True)
        except KeyboardInterrupt:
            raise SystemExit(f"interrupted; what there was lies in {folder}") from None
    print(f"in {folder}")


if __name__ == "__main__":
    main()
