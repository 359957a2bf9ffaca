"""Made-up results of cells that do not differ at all, and what a reader is told of them.

Every cell has the same true throughput and power. What is measured scatters: processes by a share of their own, cells of one
process by a little more, power by 1 %. Batch latencies do differ between batch sizes, as they must where throughputs do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
import numpy as np

from inferometer.findings import findings
from inferometer.recommendation import render
from inferometer.recommendation.constraints import ANYTHING, Constraints
from inferometer.recommendation.recommend import recommend
from inferometer.records import Gpu, Loop, Machine
from inferometer.report.page.verdict import verdicts
from inferometer.results.summary import summarise
from simulated_runs import GPU_MACHINE, cell, ended, metered, run

KINDS = (
    "ties", "two cells", "one round", "one framework", "missing cells", "missing rounds", "not a number", "constant power",
    "no meter", "two machines",
)  # fmt: skip
_RATE, _WATTS, _IMAGES = 1000.0, 100.0, 64


@dataclass(frozen=True)
class _Shape:
    frameworks: int
    sizes: tuple[int, ...]
    rounds: int
    noise: float


def results_of(kind: str, seed: int):
    """Return the results of one draw."""
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    shape = _shape(kind, rng)
    machines = [GPU_MACHINE]
    if kind == "two machines":
        machines.append(Machine(hostname="old", gpus=(Gpu(0, "GPU-2", "NVIDIA A2"),)))
    runs = [_run(kind, shape, machine, f"run-{n}", rng) for n, machine in enumerate(machines)]
    return summarise(runs)


def _shape(kind, rng):
    sizes = (8, 16, 32, 64)[: 1 if kind == "two cells" else rng.integers(1, 5)]
    frameworks = {"one framework": 1, "two cells": 2}.get(kind, rng.integers(2, 6))
    rounds = 1 if kind == "one round" else rng.integers(2, 6)
    return _Shape(int(frameworks), sizes, int(rounds), float(rng.choice([0.003, 0.01, 0.03])))


def _run(kind, shape, machine, path, rng):
    records = []
    for number in range(shape.rounds):
        for framework in "abcdef"[: shape.frameworks]:
            process = shape.noise * rng.normal()
            for size in shape.sizes:
                rate = _RATE * np.exp(process + shape.noise / 3 * rng.normal())
                records.append(_record(kind, cell(framework, size), number, float(rate), rng))
    whole = run(records, path, machine)
    if kind == "missing cells":
        gone = {c for c in whole.info.cells if rng.random() < 0.3}
        records = [r for r in records if r.cell not in gone]
    if kind == "missing rounds":
        records = records[: rng.integers(1, len(records) + 1)]
    return msgspec_run(whole, records)


def msgspec_run(whole, records):
    """Return a run with the plan of ``whole`` that has come as far as ``records``."""
    return type(whole)(whole.path, whole.info, tuple(records))


def _record(kind, the_cell, number, rate, rng):
    seconds = _IMAGES / rate * np.exp(0.002 * rng.normal(size=4))
    batches = _IMAGES // the_cell.batch_size
    loops = [
        Loop(
            float(s),
            tuple((s / batches * np.exp(0.02 * rng.normal(size=batches))).tolist()),
            1000 + n,
            _IMAGES,
        )
        for n, s in enumerate(seconds)
    ]
    watts = _WATTS if kind == "constant power" else _WATTS * float(np.exp(0.01 * rng.normal()))
    energy = None
    if kind != "no meter":
        energy = metered(watts * float(seconds.sum()), float(seconds.sum()), 4 * _IMAGES)
    made = ended(the_cell, number, loops, _IMAGES, energy=energy)
    if kind == "not a number" and rng.random() < 0.2:
        bad = float(rng.choice([np.nan, np.inf, 0.0]))
        made = msgspec.structs.replace(made, loops=(Loop(bad, (bad,), 1000, _IMAGES), *made.loops[1:]))
    return made


# what names a difference of throughput, energy or power; a batch latency's own is true between two batch sizes
_NAMES_ONE = re.compile(
    r"is reached at batch size|faster|slower|less energy|more energy| ahead| % less|is fastest|needs the least energy|lose with"
    r"|changes with throughput| x the |% (?:throughput|energy|cost)|the data tell (?:it from )?all others|: least energy an image"
)


def told(results) -> dict[str, list[str]]:
    """Return the sentences that name a difference, by where they stand; and check that each finding has a test exactly if it does."""
    found = {"findings": [], "verdicts": [], "recommend": []}
    for finding in findings(results):
        names = names_a_difference(finding.text)
        assert names == bool(finding.tests), finding
        assert all(test.told and test.p <= 0.05 for test in finding.tests), finding
        if names:
            found["findings"].append(finding.text)
    for model, mode in results.sections:
        for verdict in verdicts(results, model, mode):
            said = [win.why for win in (verdict.fastest, verdict.efficient) if win]
            said += [verdict.deploy.head, verdict.deploy.why, verdict.deploy.grade, *verdict.deploy.remedies]
            found["verdicts"] += [text for text in said if names_a_difference(text)]
    limited = Constraints(batch_sizes=results.batch_sizes[:1])
    for objective, limit in (("throughput", ANYTHING), ("energy", ANYTHING), ("throughput", limited)):
        for decision in recommend(results, limit, objective):
            said = [text for kind, text in render.lines(decision) if kind not in ("front", "refused")]
            found["recommend"] += [text for text in said if names_a_difference(text)]
    return found


def names_a_difference(text: str) -> bool:
    """Return whether a sentence names a difference between cells that have none."""
    return bool(_NAMES_ONE.search(text))
