"""Proves how seldom `compare` and ties cry wolf and how often they find 3 %, for the tables of docs/statistics.md.

    python benchmarks/compare_power.py [--trials 300] [--rounds 3,5,7,10] [--noise 0.5,1,2] [--most 12]

Runs are simulated and sent through the real code. A simulated run has frameworks x batch sizes x rounds. The logarithm of a loop's rate is the sum of: the cell's own
level; an effect of the process (framework and round), half of which every batch size of that process shares; the
machine's drift at the time of the round, shared by all frameworks; and the loop's own noise. Two runs follow each other
in time, so drift goes on from the first to the second; older runs and the last one, of another number of rounds, likewise.
With --most each run goes on to as many rounds as the noise of its first ones asks for, as a run does by itself
(`results/resolution.py`).

False alarm: any cell of a whole comparison of two runs of the same thing called better or worse. Power: share of the
cells of one framework, truly 3 % slower in the second run, that are called worse.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inferometer.comparison.changes import Change
from inferometer.comparison.compare import compare
from inferometer.records import Cell, Loop, Machine, ModelInfo, Protocol, Record, RunInfo
from inferometer.results.cells import Results
from inferometer.results.resolution import noise_between_rounds, second_stage
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs
from inferometer.storage.run_directory import StoredRun

LOOPS = 10
LOOP_NOISE = 0.01
HISTORY = (5, 10)  # older runs, and rounds of each


@dataclass(frozen=True)
class Scene:
    """What is simulated."""

    frameworks: int = 8
    batch_sizes: int = 7
    rounds: int = 3
    noise: float = 0.01  # standard deviation between processes
    drift: str = "none"  # or walk:PERCENT_A_ROUND, ramp:PERCENT_A_RUN
    most: int = 0  # rounds of the second stage; 0: there is none

    @property
    def longest(self) -> int:
        return max(self.rounds, self.most)


def drift_of(scene: Scene, random: np.random.Generator, runs: int) -> np.ndarray:
    """Return the machine's log speed at every round of so many consecutive runs."""
    count = runs * scene.longest
    kind, _, size = scene.drift.partition(":")
    if kind == "walk":
        return np.cumsum(float(size) / 100 * random.normal(size=count))
    if kind == "ramp":
        return float(size) / 100 / scene.longest * np.arange(count)
    return np.zeros(count)


def simulate(
    scene: Scene, random: np.random.Generator, course: np.ndarray, levels: np.ndarray, path: str
) -> Results:
    """Return one simulated run; ``levels``: log rates, shape (frameworks, batch sizes)."""
    share = scene.noise / math.sqrt(2)
    records = []
    for f in range(scene.frameworks):
        process = share * random.normal(size=scene.longest)
        for b in range(scene.batch_sizes):
            cell = Cell("m", f"f{f}", "fp32", 2**b, "cpu")
            own = share * random.normal(size=scene.longest)
            for r in range(scene.longest):
                logs = levels[f, b] + process[r] + own[r] + course[r] + LOOP_NOISE * random.normal(size=LOOPS)
                loops = tuple(Loop(seconds, images=512) for seconds in (512 * np.exp(-logs)).tolist())
                records.append(Record(cell, r, "ok", images=512, loops=loops))
    first = _of_rounds(records, scene.rounds, path, scene.most)
    stage = second_stage(first, scene.rounds, scene.most) if scene.most else None
    return _of_rounds(records, stage.rounds, path, scene.most) if stage else first


def _of_rounds(records: list[Record], rounds: int, path: str, most: int) -> Results:
    protocol = Protocol(rounds=rounds, most_rounds=most)
    info = RunInfo(machine=Machine(cpu="simulated"), model=ModelInfo("m", hash="x"), protocol=protocol)
    kept = tuple(record for record in records if record.round < rounds)
    return summarise([StoredRun(Path(path), info, kept)])


def two_runs(scene: Scene, random: np.random.Generator, change: float) -> tuple[bool, float]:
    """Compare two runs; return (any unchanged cell called changed, share of changed cells called worse)."""
    course = drift_of(scene, random, 2)
    levels = np.log(1000) + random.normal(size=(scene.frameworks, scene.batch_sizes))
    changed = levels.copy()
    changed[0] += math.log1p(-change)
    a = simulate(scene, random, course, levels, "a")
    took = a.runs[0].info.protocol.rounds
    b = simulate(scene, random, course[took:], changed, "b")
    return _outcome(compare(a, b).changes, change)


def _outcome(found: Sequence[Change], change: float) -> tuple[bool, float]:
    alarm = any(
        c.verdict in ("better", "worse") for c in found if change == 0 or c.first.cell.framework != "f0"
    )
    hits = [c.verdict == "worse" for c in found if c.first.cell.framework == "f0"]
    return alarm, float(np.mean(hits))


def of_a_history(scene: Scene, random: np.random.Generator, change: float) -> tuple[bool, float]:
    """Compare a run with older ones of another number of rounds."""
    runs, rounds = HISTORY
    older = replace(scene, rounds=rounds, most=0)
    course = drift_of(replace(older, rounds=max(rounds, scene.longest)), random, runs + 1)
    levels = np.log(1000) + random.normal(size=(scene.frameworks, scene.batch_sizes))
    changed = levels.copy()
    changed[0] += math.log1p(-change)
    known = [simulate(older, random, course[n * rounds :], levels, f"day-{n}").runs[0] for n in range(runs)]
    last = simulate(scene, random, course[runs * rounds :], changed, "last")
    return _outcome(compare(summarise(known), last).changes, change)


def one_run(scene: Scene, random: np.random.Generator, change: float) -> tuple[bool, float]:
    """Compare two frameworks of one run, paired by round."""
    course = drift_of(scene, random, 1)
    levels = np.log(1000) + random.normal(size=(scene.frameworks, scene.batch_sizes))
    levels[1] = levels[0] + math.log1p(-change)
    run = simulate(scene, random, course, levels, "a")
    found = compare(run, run, frameworks=("f0", "f1")).changes
    return any(c.verdict in ("better", "worse") for c in found), float(
        np.mean([c.verdict == "worse" for c in found])
    )


def ties(scene: Scene, random: np.random.Generator, change: float) -> tuple[bool, float]:
    """Mark ties among frameworks that are all equal but the last, which is slower by ``change``."""
    course = drift_of(scene, random, 1)
    levels = np.full((scene.frameworks, scene.batch_sizes), np.log(1000.0))
    levels += random.normal(size=scene.batch_sizes)
    levels[-1] += math.log1p(-change)
    run = simulate(scene, random, course, levels, "a")
    last = f"f{scene.frameworks - 1}"
    equal = [s for s in run.summaries if change == 0 or s.cell.framework != last]
    told = [not s.tie for s in run.summaries if s.cell.framework == last]
    return any(not s.tie for s in equal), float(np.mean(told))


METHODS = {
    "two runs": two_runs,
    "5 older runs of 10 rounds": of_a_history,
    "paired in one run": one_run,
    "ties in one run": ties,
}


def measure(method: str, scene: Scene, trials: int, change: float, seed: int = 0) -> tuple[float, float]:
    """Return the share of trials with a false alarm, and the mean power."""
    random = np.random.default_rng(seed)
    outcomes = [METHODS[method](scene, random, change) for _ in range(trials)]
    return float(np.mean([alarm for alarm, _ in outcomes])), float(np.mean([power for _, power in outcomes]))


def noise_of(paths: list[str]) -> float:
    """Return the standard deviation between processes that real runs show, in percent (common drift taken out)."""
    deviations = 100 * noise_between_rounds(summarise(read_runs(paths))).cells
    if not len(deviations):
        raise SystemExit(
            "these runs have no cell with two rounds: their noise between processes is not known"
        )
    low, middle, high = np.percentile(deviations, [10, 50, 90])
    print(
        f"{len(deviations)} cells: {middle:.2f} % between processes (median; 10th to 90th percentile {low:.2f} to {high:.2f} %)"
    )
    return float(np.sqrt(np.mean(deviations**2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--rounds", default="3,5,7,10")
    parser.add_argument("--most", type=int, default=0, help="rounds of a second stage; 0: none")
    parser.add_argument("--noise", default="0.5,1,2", help="between processes, percent")
    parser.add_argument("--shape", default="8x7", help="frameworks x batch sizes")
    parser.add_argument("--drift", default="none,walk:0.5,walk:2,ramp:0.5,ramp:2,ramp:5")
    parser.add_argument("--method", default=",".join(METHODS))
    parser.add_argument("--from-run", nargs="+", metavar="RUN", help="take the noise from these runs instead")
    options = parser.parse_args()
    if options.from_run:
        options.noise = f"{noise_of(options.from_run):.3g}"
    frameworks, sizes = (int(x) for x in options.shape.split("x"))
    print(
        f"{options.trials} trials; change 3 %; {frameworks} frameworks x {sizes} batch sizes, {LOOPS} loops of {LOOP_NOISE:.0%} noise"
    )
    print(
        "| method | between processes | drift | rounds | false alarm | power at 3 % |\n|---|---:|---|---:|---:|---:|"
    )
    for method in options.method.split(","):
        for noise in options.noise.split(","):
            for kind in options.drift.split(","):
                for rounds in options.rounds.split(","):
                    scene = Scene(frameworks, sizes, int(rounds), float(noise) / 100, kind, options.most)
                    alarm, _ = measure(method, scene, options.trials, 0.0)
                    _, power = measure(method, scene, max(options.trials // 3, 20), 0.03, seed=1)
                    print(
                        f"| {method} | {noise} % | {kind} | {rounds}{f' to {options.most}' if options.most else ''} | {alarm:.1%} | {power:.0%} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
