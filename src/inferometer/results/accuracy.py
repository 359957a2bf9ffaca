"""How often rows of a run are right on the user's own data, and by how much less often than at fp32 (docs/accuracy.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.flags import flag
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.records import Cell, Evaluation, ModelInfo
from inferometer.results.estimates import Estimate
from inferometer.results.paired import Paired
from inferometer.results.shares import wilson
from inferometer.storage.evaluations import answers_file, read_arrays
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted

Key = tuple[Path, str, str, str]  # run, framework, precision, device
ENOUGH = 381  # images from which on Wilson's interval of a share is ±5 % at most


@dataclass(frozen=True)
class Accuracy:
    """One row on a data set."""

    evaluation: Evaluation
    reference: Evaluation | None = (
        None  # the fp32 row that it is held against; None: it is one itself, or there is none
    )
    top1: Estimate | None = None  # share of images
    top5: Estimate | None = None
    agreement: Estimate | None = None  # share of images with the reference's top class, right or wrong
    paired: Paired | None = None
    squared_error: Estimate | None = None
    cosine: Estimate | None = None

    @property
    def row(self) -> str:
        """Return the framework and precision."""
        return name_of(self.evaluation.cell)

    @property
    def is_reference(self) -> bool:
        """Return whether it is what others are held against."""
        return self.evaluation.cell.precision == "fp32"

    @cached_property
    def loss(self) -> Estimate | None:
        """Return by what share of images it is right less often than its reference; that of a reference itself is 0."""
        if self.top1 is None:
            return None
        rows = self.evaluation.rows
        if self.is_reference:
            return Estimate(0.0, 0.0, 0.0, "share", "the fp32 row itself", rows)
        if self.paired is None or self.reference is None:
            return None
        told = f"{self.paired.lost} lost, {self.paired.won} won of {rows} images against {name_of(self.reference.cell)}"
        return Estimate(self.paired.loss, *self.paired.interval, "share", told, rows)

    def words(self) -> str:
        """Return what the data say of the row beside its reference, in one sentence; "" where there is nothing to say."""
        if self.loss is None or self.paired is None or self.reference is None:
            return ""
        low, high = self.loss.low or 0.0, self.loss.high or 0.0
        against = name_of(self.reference.cell)
        counts = f"{counted(self.paired.lost, 'image')} lost, {self.paired.won} won; p = {self.paired.p:.2g}"
        if low > 0:
            return f"right less often than {against} by {_percent(low)} to {_percent(high)} ({counts})"
        if high < 0:
            return f"right more often than {against} by {_percent(-high)} to {_percent(-low)} ({counts})"
        return f"not shown equal to {against}, nor different: it may lose {_percent(high)} ({counts})"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def name_of(cell: Cell) -> str:
    """Return a row's framework and precision in words."""
    return f"{cell.framework} {cell.precision}"


def half_width(n: int) -> float:
    """Return how far off a share of ``n`` images may be at worst: the half width of Wilson's interval at one half."""
    z = t_quantile(CONFIDENCE, math.inf)
    return z / (2 * math.sqrt(n + z * z))


def what_so_many_tell(n: int) -> str:
    """Return what a share of ``n`` images can say, in words."""
    told = f"{n:,} images tell a share to ±{100 * half_width(n):.2g} % at worst"
    return told if n >= ENOUGH else f"{told}; ±5 % takes {ENOUGH}"


def of_runs(runs: Sequence[StoredRun]) -> Mapping[Key, Accuracy]:
    """Return what is known of every row of the runs; StoreError where a file of answers is damaged."""
    return {key: found for run in runs for key, found in _of_run(run).items()}


def _of_run(run: StoredRun) -> dict[Key, Accuracy]:
    ended = {_row(e.cell): e for e in run.evaluations if e.status == "ok"}  # the last word on each
    answers = {row: read_arrays(run.path, e.file, e.rows) for row, e in ended.items()}
    exact = {} if _stored(run.info.model) else ended
    return {
        (run.path, *row): _judged(run.path, found, _reference_of(found, exact), answers)
        for row, found in ended.items()
    }


def _stored(model: ModelInfo) -> str:
    """Return the precision inside the model's own file where rows called fp32 are no fp32 model, as in runs of version 0.1."""
    sources = (
        facts for facts in model.conversions.values() if "route" not in facts and not facts.get("widened")
    )
    return next((str(facts["stored"]) for facts in sources if facts.get("stored")), "")


def _row(cell: Cell) -> tuple[str, str, str]:
    return cell.framework, cell.precision, cell.device


def _reference_of(found: Evaluation, ended: Mapping[tuple[str, str, str], Evaluation]) -> Evaluation | None:
    """Return the same framework's fp32 row, on the same device before others, else the first fp32 row there is."""
    if found.cell.precision == "fp32":
        return None
    exact = [
        e
        for e in ended.values()
        if e.cell.precision == "fp32" and e.dataset.key == found.dataset.key and e.rows == found.rows
    ]
    nearness = lambda e: (e.cell.framework != found.cell.framework, e.cell.device != found.cell.device)  # noqa: E731
    return min(exact, key=nearness, default=None)


def _judged(
    path: Path,
    found: Evaluation,
    reference: Evaluation | None,
    answers: Mapping[tuple[str, str, str], Mapping[str, Any]],
) -> Accuracy:
    own = answers[_row(found.cell)]
    if found.top1 is None:
        errors, cosines = (_mean(own.get(name)) for name in ("squared_error", "cosine"))
        return Accuracy(found, reference, squared_error=errors, cosine=cosines)
    top1 = _share(found.top1, found)
    top5 = None if found.top5 is None else _share(found.top5, found)
    if reference is None:
        return Accuracy(found, None, top1, top5)
    theirs = answers[_row(reference.cell)]["first"][:, 0]
    ours, right = own["first"][:, 0], read_arrays(path, answers_file(found.dataset), found.rows)["y"]
    same = int(np.count_nonzero((ours == theirs) & (ours >= 0)))
    paired = Paired(
        found.rows,
        int(np.count_nonzero((theirs == right) & (ours != right))),
        int(np.count_nonzero((ours == right) & (theirs != right))),
    )
    return Accuracy(found, reference, top1, top5, _share(same, found), paired)


def _share(count: int, found: Evaluation) -> Estimate:
    n = found.rows
    few = (
        flag("few-images", images=n, half_percent=100 * half_width(n), needed=ENOUGH) if n < ENOUGH else None
    )
    return Estimate(count / n, *wilson(count, n), "share", f"{count} of {n} images", n, few)


def _mean(values: Any) -> Estimate | None:
    """Return the mean over rows with its interval (Student's t); None where a row is not finite."""
    if values is None or not len(values) or not np.isfinite(values).all():
        return None
    exact = values.astype(np.float64)
    mean, n = float(exact.mean()), len(exact)
    source = f"mean of {n} rows"
    if n < 2:
        return Estimate(mean, None, None, "1", source, n)
    half = t_quantile(CONFIDENCE, n - 1) * float(exact.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, "1", source, n)
