"""Measures inferometer's loop over a hand-written one on the CPU, for docs/results/two-cores.md's ratios and fixed cost a cell.

    python benchmarks/overhead.py [--frameworks onnxrt,torch] [--batch-sizes 1,8,64] [--images 64] [--pairs 4]
                                  [--turns 6] [--seconds 1] [--out DIR]

inferometer's loop and the hand-written one (benchmarks/handloops.py) take turns (benchmarks/interleaved.py). Run it on a quiet
machine. Writes overhead.md and overhead.json into DIR after each pair of processes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from contests import Contest
from interleaved import Arena, compete

from inferometer.records import Protocol

CONTESTS = {"onnxrt": Contest("onnxrt", "onnxrt-cpu"), "torch": Contest("torch", "torch-cpu")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frameworks", default="onnxrt,torch")
    parser.add_argument("--batch-sizes", default="1,8,64")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=4, help="pairs of fresh processes")
    parser.add_argument("--turns", type=int, default=6, help="turns of each pair at each batch size")
    parser.add_argument("--seconds", type=float, default=1.0, help="that a turn takes at least")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="overhead-"))
    contests = [CONTESTS[name] for name in arguments.frameworks.split(",")]
    sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    protocol = Protocol(images=arguments.images, warmup=arguments.warmup, loops=1, threads=arguments.threads)
    arena = Arena(contests, sizes, protocol, folder)
    try:
        print(
            compete(arena, contests, arguments.pairs, arguments.turns, arguments.seconds, folder, "overhead")
        )
    except KeyboardInterrupt:
        raise SystemExit(f"interrupted; what there was lies in {folder}") from None
    print(f"in {folder}")


if __name__ == "__main__":
    main()
