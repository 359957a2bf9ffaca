"""Made-up runs whose rows were evaluated on a data set, with answers that the test chooses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inferometer.records import DatasetInfo, Evaluation, ModelInfo, RunInfo
from inferometer.running.evaluation import figures
from inferometer.storage.evaluations import answers_file, append_evaluation, write_arrays
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import GPU_MACHINE, cell, rounds_of

CLASSES = 10


def evaluated_run(
    path: Path, right, answers, *, rates=None, beside=(), failed=(), conversions=None, data="0123456789"
):
    """Write and read a run of (framework, precision) -> the class that each image was given; ``right``: those of the data.

    ``rates``: images/s of rows, 1000 by default; ``beside``: rows that were evaluated but not measured; ``failed``: whose
    evaluation failed.
    """
    rates = rates or {}
    measured = [row for row in answers if row not in beside] + list(failed)
    records = [
        record
        for row in measured
        for record in rounds_of(cell(row[0], precision=row[1], device="cpu"), [rates.get(row, 1000.0)] * 3)
    ]
    data = DatasetInfo("/data/digits.npz", hash=data, rows=len(right), classes=CLASSES)
    model = ModelInfo("mobilenet", hash="abc", conversions=conversions or {})
    cells = tuple(dict.fromkeys(r.cell for r in records))
    info = RunInfo(machine=GPU_MACHINE, model=model, cells=cells, dataset=data)
    writer = RunWriter.create(path, info)
    for record in records:
        writer.append(record)
    write_arrays(path, answers_file(data), {"y": np.asarray(right)})
    for row, given in answers.items():
        arrays = {"first": five(np.asarray(given))}
        name = f"accuracy/{'-'.join(row)}.npz"
        digest = write_arrays(path, name, arrays)
        counts = figures(arrays, np.asarray(right), CLASSES)
        found = Evaluation(
            cell(row[0], precision=row[1], device="cpu"), "ok", dataset=data, rows=len(right), file=name,
            file_hash=digest, beside=row in beside, **counts,
        )  # fmt: skip
        append_evaluation(path, found)
    for row in failed:
        at = cell(row[0], precision=row[1], device="cpu")
        append_evaluation(path, Evaluation(at, "crashed", cause="worker died of SIGSEGV", dataset=data))
    return read_run(path)


def five(first):
    """Return five different classes a row, beginning with the one given."""
    return np.stack([(first + step) % CLASSES for step in range(5)], axis=1).astype(np.int16)
