"""Proves how often intervals cover the truth and equal cells get verdicts, by the kind of noise, for docs/statistics.md.

    nice python benchmarks/noise_kinds.py [--trials 300] [--kinds lognormal,bimodal] [--rounds 2,3,5,10] [--runs 1,2,3]

Two runs of the same four frameworks at two batch sizes are made in memory and sent through the real code. The logarithm of a
loop's rate is its cell's level, plus an effect of its process (half of it shared by the batch sizes), of its run where several
are pooled (1 %, half of it shared by all cells), and the loop's own. What differs between the kinds:

* lognormal: 1 % between processes, 1 % between loops.
* autocorrelated: loops of 3 % that follow each other (0.8), as batches did on an H100.
* drifting: the machine walks 1 % a round, for all cells alike.
* bimodal: one process of ten is 10 % slower.
* heavy-tailed: processes (0.5 %) and loops (1 %) by Student's t with 3 degrees of freedom.

Coverage: share of 95 % intervals that hold the truth, which a run of 4,000 rounds tells (of a drifting machine: as it was on
average of the run). Verdicts: share of comparisons of two runs of the same thing with any cell called better or worse; share of
runs in which ranking tells any of the equal frameworks apart.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inferometer.comparison.compare import compare
from inferometer.records import Cell, Loop, Machine, ModelInfo, Prepare, Protocol, Record, RunInfo
from inferometer.results.cells import Results
from inferometer.results.estimates import estimate
from inferometer.results.metrics import METRICS, Metric
from inferometer.results.ranking import rank_cells
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import StoredRun

KINDS = ("lognormal", "autocorrelated", "drifting", "bimodal", "heavy-tailed")
FRAMEWORKS, BATCH_SIZES, LOOPS = 4, 2, 5
RATE, RUN_NOISE = 1000.0, 0.01


@dataclass(frozen=True)
class Scene:
    """A kind of noise, and how often is measured: rounds a run, runs pooled on each side."""

    kind: str
    rounds: int
    runs: int = 1


def loops_of(kind: str, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return the loops' own logarithms, the last axis within one process."""
    noise = random.normal(size=shape)
    if kind == "autocorrelated":
        for place in range(1, shape[-1]):
            noise[..., place] = 0.8 * noise[..., place - 1] + 0.6 * noise[..., place]
        return 0.03 * noise
    if kind == "heavy-tailed":
        return 0.01 * random.standard_t(3, shape)
    return 0.01 * noise


def processes_of(kind: str, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return the effects of so many processes."""
    if kind == "heavy-tailed":
        return 0.005 * random.standard_t(3, shape)
    slow = math.log(0.9) * (random.random(shape) < 0.1) if kind == "bimodal" else 0.0
    return 0.01 * random.normal(size=shape) + slow


def logs_of(scene: Scene, random: np.random.Generator, course: np.ndarray) -> np.ndarray:
    """Return log rates of one run's loops: (frameworks, batch sizes, rounds, loops)."""
    shape = (FRAMEWORKS, BATCH_SIZES, scene.rounds)
    process = processes_of(scene.kind, random, (FRAMEWORKS, 1, scene.rounds))
    if scene.kind != "bimodal":  # where half of it is each cell's own
        process = (process + processes_of(scene.kind, random, shape)) / math.sqrt(2)
    run = np.zeros((FRAMEWORKS, BATCH_SIZES, 1))
    if scene.runs > 1:
        run = RUN_NOISE / math.sqrt(2) * (random.normal() + random.normal(size=run.shape))
    return (process + run + course)[..., None] + loops_of(scene.kind, random, (*shape, LOOPS))


def records_of(logs: np.ndarray, random: np.random.Generator, batches: int) -> list[Record]:
    """Return the records of these log rates; batches (0: none known) and times to ready scatter by 5 %."""
    seconds = np.exp(-logs) / RATE
    each = np.exp(0.05 * random.normal(size=(*logs.shape, batches))) * seconds[..., None]
    prepare = 5 * np.exp(0.05 * random.normal(size=logs.shape[:3]))
    found = []
    for f, b, r in np.ndindex(*logs.shape[:3]):
        if batches:
            loops = tuple(Loop(sum(row), tuple(row), images=batches << b) for row in each[f, b, r].tolist())
        else:
            loops = tuple(Loop(one, images=1 << b) for one in seconds[f, b, r].tolist())
        cell = Cell("m", f"f{f}", "fp32", 2**b, "cpu")
        found.append(Record(cell, r, "ok", loops=loops, prepare=Prepare(float(prepare[f, b, r]))))
    return found


def pooled(scene: Scene, random: np.random.Generator, course: np.ndarray, side: str, batches: int) -> Results:
    """Return the results of one side: so many runs of so many rounds."""
    info = RunInfo(
        machine=Machine(cpu="simulated"),
        model=ModelInfo("m", hash="x"),
        protocol=Protocol(rounds=scene.rounds),
    )
    return summarise(
        [
            StoredRun(
                Path(f"{side}{number}"),
                info,
                tuple(records_of(logs_of(scene, random, part), random, batches)),
            )
            for number, part in enumerate(course.reshape(scene.runs, scene.rounds))
        ]
    )


def batches_of(metric: Metric) -> int:
    """Return how many batches a loop is made of: none where only the loops matter, which is faster."""
    return 20 if metric.name == "p99" else 0


def truth(kind: str, metric: Metric, random: np.random.Generator) -> dict[int, float]:
    """Return the mean logarithm of a round by batch size, of very many rounds."""
    scene = Scene("lognormal" if kind == "drifting" else kind, 1000)
    records = records_of(logs_of(scene, random, np.zeros(1000)), random, batches_of(metric))
    found: dict[int, list[float]] = {}
    for cell in dict.fromkeys(record.cell for record in records):
        good = [((0, r.round), r) for r in records if r.cell == cell]
        fields = estimate(good, cell)
        name = {"prepare_time": "prepare"}.get(metric.name, metric.name)
        found.setdefault(cell.batch_size, []).append(fields["series"][name].units.mean)
    return {size: float(np.mean(means)) for size, means in found.items()}


def covered(results: Results, metric: Metric, levels: dict[int, float], shift: float) -> list[bool]:
    """Return of each cell whether its interval holds the truth."""
    return [
        e.low <= math.exp(levels[s.cell.batch_size] + shift) <= e.high
        for s in results.summaries
        if (e := metric.of(s)) and e.low is not None and e.high is not None
    ]


def measure(scene: Scene, metric: Metric, trials: int, seed: int = 0) -> tuple[float, float, float, float]:
    """Return coverage, verdicts of comparisons and of rankings, and how many cells are said to have two kinds of round."""
    random = np.random.default_rng(seed)
    levels = truth(scene.kind, metric, random)
    speed = {"throughput": 1.0, "p99": -1.0}.get(metric.name, 0.0)
    count = scene.rounds * scene.runs
    hold, changed, told, kinds = [], [], [], []
    for _ in range(trials):
        steps = 0.01 * random.normal(size=2 * count) if scene.kind == "drifting" else np.zeros(2 * count)
        course = np.cumsum(steps).reshape(2, count)
        sides = [
            pooled(scene, random, part, name, batches_of(metric))
            for part, name in zip(course, "ab", strict=True)
        ]
        for side, part in zip(sides, course, strict=True):
            hold += covered(side, metric, levels, speed * float(part.mean()))
        changed.append(any(c.verdict in ("better", "worse") for c in compare(*sides, metric).changes))
        places = rank_cells(sides[0].summaries, metric).values()
        told.append(any(place.standing == "told" for place in places if not place.best))
        kinds += [any(flag.kind == "two-kinds-of-rounds" for flag in s.flags) for s in sides[0].summaries]
    return tuple(float(np.mean(x)) for x in (hold, changed, told, kinds))  # type: ignore[return-value]


def bound(correlation: float, batches: int, trials: int) -> tuple[float, float]:
    """Return how often a p99's upper bound holds and how often there is none: 3 rounds of so many batches that follow each other."""
    random = np.random.default_rng(1)
    cell, true = Cell("m", "f", "fp32", 1, "cpu"), math.exp(0.05 * 2.326348)
    uppers = []
    for _ in range(trials):
        logs = random.normal(size=(3, batches))
        for place in range(1, batches):
            logs[:, place] = correlation * logs[:, place - 1] + math.sqrt(1 - correlation**2) * logs[:, place]
        rounds = [Loop(1.0, tuple(row), images=batches) for row in np.exp(0.05 * logs).tolist()]
        good = [((0, n), Record(cell, n, "ok", loops=(loop,))) for n, loop in enumerate(rounds)]
        uppers.append(estimate(good, cell)["p99"].upper)
    known = np.isfinite(uppers)
    return float(np.mean(np.array(uppers)[known] >= true)) if known.any() else math.nan, float(
        np.mean(~known)
    )


def print_bounds(trials: int) -> None:
    print("| lag-1 autocorrelation | batches a round | bound holds | no bound |\n|---:|---:|---:|---:|")
    for correlation in (0.0, 0.8):
        for batches in (50, 200, 1000, 3000):
            holds, absent = bound(correlation, batches, trials)
            print(f"| {correlation} | {batches} | {100 * holds:.1f} % | {100 * absent:.1f} % |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--rounds", default="2,3,5,10")
    parser.add_argument("--runs", default="1")
    parser.add_argument("--metric", default="throughput", choices=("throughput", "p99", "prepare_time"))
    parser.add_argument(
        "--bounds", action="store_true", help="how often the upper bounds of a p99 hold, instead"
    )
    options = parser.parse_args()
    if options.bounds:
        print_bounds(options.trials)
        return
    print(
        "| metric | noise | runs x rounds | coverage | compare | ranking | two kinds said |\n|---|---|---|---:|---:|---:|---:|"
    )
    for kind in options.kinds.split(","):
        for runs in options.runs.split(","):
            for rounds in options.rounds.split(","):
                scene = Scene(kind, int(rounds), int(runs))
                found = measure(scene, METRICS[options.metric], options.trials)
                shares = " | ".join(f"{100 * share:.1f} %" for share in found)
                print(f"| {options.metric} | {kind} | {runs} x {rounds} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
