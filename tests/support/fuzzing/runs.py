"""Run directories with damage: read and shown, or refused, and what `repair` makes of them is readable."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np

from evaluated_runs import evaluated_run
from fuzzing.mutation import bytes_of, json_of
from fuzzing.outcome import Outcome, outcome_of
from inferometer import tables
from inferometer.errors import StoreError
from inferometer.recommendation.recommend import recommend
from inferometer.results.summary import summarise
from inferometer.storage.repair import repair
from inferometer.storage.run_directory import read_run
from inferometer.tables.overview import flat_rows
from simulated_runs import BOARDS, write_run

ANSWERS = np.arange(20) % 10


class RunDirectories:
    name = "run directory"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        few = {"precisions": ("fp32",), "batch_sizes": (8,), "rounds": 2, "batches": 4}
        self._whole = [
            write_run(folder / "whole", BOARDS[0], frameworks=("onnxrt", "torch"), **few),
            _evaluated(folder),
        ]

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        path = self._folder / "changed"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(chance.choice(self._whole), path)
        for _ in range(chance.randint(1, 2)):
            _damage(chance, path)
        first = outcome_of(lambda: _everything(path))
        if first.kind != "refused":
            return first
        second = outcome_of(lambda: _repaired(path))
        return first if second.fine else second


def _evaluated(folder: Path) -> Path:
    answers = {("onnxrt", "fp32"): ANSWERS, ("torch", "fp32"): ANSWERS[::-1]}
    return evaluated_run(folder / "evaluated", ANSWERS, answers).path


def _damage(chance: random.Random, run: Path) -> None:
    file = chance.choice([path for path in sorted(run.rglob("*")) if path.is_file()])
    data = file.read_bytes()
    if file.suffix == ".jsonl" and data.strip() and chance.random() < 0.7:
        lines = data.split(b"\n")
        at = chance.randrange(len(lines))
        lines[at] = json_of(chance, lines[at])
        file.write_bytes(b"\n".join(lines))
    elif file.suffix == ".json" and chance.random() < 0.7:
        file.write_bytes(json_of(chance, data))
    else:
        file.write_bytes(bytes_of(chance, data))


def _everything(path: Path) -> None:
    results = summarise([read_run(path)])
    flat_rows(results)
    tables.build(results, tables.metric_named("throughput"))
    recommend(results)


def _repaired(path: Path) -> None:
    try:
        repair(path)
    except StoreError as error:
        if "nothing in it is sound" in str(error) or "schema" in str(error):
            raise
        raise AssertionError(f"repair refused: {error}") from error
    try:
        _everything(path)
    except StoreError as error:
        raise AssertionError(f"what was repaired is not readable: {error}") from error
