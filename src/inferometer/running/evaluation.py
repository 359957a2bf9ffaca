"""The user's own data answered by every row that was measured: after the rounds, so that nothing timed is disturbed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inferometer.models.datasets.shards import Shard, Shards
from inferometer.records import STILL_MISSING, Cell, DatasetInfo, Evaluation, Record
from inferometer.running.checked_row import open_checked
from inferometer.running.messages import open_message
from inferometer.running.processes.child import Child
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.runner import Runner
from inferometer.storage.evaluations import answers_file, append_evaluation, write_arrays
from inferometer.storage.run_directory import StoredRun
from inferometer.storage.temporary import FOLDER as TEMPORARY_FOLDER
from inferometer.units import counted
from inferometer.version import __version__
from inferometer.worker.protocol import Evaluate, Evaluated

FIRST = 5  # classes: a sixth is needed for the first five to say anything


def measured_rows(records: Iterable[Record]) -> list[Cell]:
    """Return a cell for every framework, precision and device that ended well: its largest batch size, in host mode."""
    largest: dict[tuple[str, str, str], Cell] = {}
    for record in records:
        cell = record.cell
        key = (cell.framework, cell.precision, cell.device)
        if record.status == "ok" and cell.batch_size > (largest[key].batch_size if key in largest else 0):
            largest[key] = msgspec.structs.replace(cell, mode="host")
    return list(largest.values())


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Evaluates rows of a run, one worker at a time."""

    runner: Runner
    shards: Shards
    form: Callable[[Cell], str]  # in which a row takes the model
    reference: Cell | None = None  # an fp32 row that was not asked for, where none was

    def run(self, stored: StoredRun) -> None:
        """Evaluate what is missing; KeyboardInterrupt records the row in flight, then goes on up."""
        if self.shards.labels is not None:
            name = answers_file(self.shards.info)
            if not (stored.path / name).exists():
                write_arrays(stored.path, name, {"y": self.shards.labels})
        for cell, beside in self.missing(stored):
            append_evaluation(stored.path, _RowRun(self, cell, beside).ended())

    def missing(self, stored: StoredRun) -> list[tuple[Cell, bool]]:
        """Return the rows that have no ended evaluation on this data set, and which of them were not asked for."""
        key = self.shards.info.key
        ended = {
            _row(e.cell)
            for e in stored.evaluations
            if e.status not in STILL_MISSING and without_labels(e.dataset).key == key
        }
        rows = measured_rows(stored.records)
        wanted = [(cell, False) for cell in rows]
        if self.reference and rows:
            wanted.insert(0, (self._like(self.reference, rows), True))
        return [(cell, beside) for cell, beside in wanted if _row(cell) not in ended]

    @staticmethod
    def _like(reference: Cell, rows: list[Cell]) -> Cell:
        """Return the reference at the largest batch size at which its framework ended well, else at its own."""
        own = [c for c in rows if (c.framework, c.device) == (reference.framework, reference.device)]
        size = max((cell.batch_size for cell in own), default=reference.batch_size)
        return msgspec.structs.replace(reference, batch_size=size)


def _row(cell: Cell) -> tuple[str, str, str]:
    return cell.framework, cell.precision, cell.device


def without_labels(info: DatasetInfo) -> DatasetInfo:
    """Return a data set as each line keeps it: the names of a thousand classes are in run.json once."""
    return msgspec.structs.replace(info, labels=())


class _RowRun:
    """One worker that evaluates one row."""

    def __init__(self, evaluator: Evaluator, cell: Cell, beside: bool) -> None:
        self._of, self._runner, self._cell = evaluator, evaluator.runner, cell
        framework, device = cell.framework.replace(":", "_"), cell.device.replace(":", "")
        self._name = f"{framework}-{cell.precision}-{device}"
        self._begun = time.monotonic()
        self._facts: dict[str, Any] = {
            "cell": cell,
            "dataset": without_labels(evaluator.shards.info),
            "beside": beside,
            "tool": __version__,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "log": str(Path("logs") / f"accuracy-{self._name}.log"),
        }

    def ended(self) -> Evaluation:
        """Return how it ended; an interruption is stored before it goes on up."""
        try:
            found = self._evaluated()
        except KeyboardInterrupt as stop:
            cause = str(stop) or "stopped by the user"
            append_evaluation(self._runner.writer.path, self._record(status="interrupted", cause=cause))
            raise
        if isinstance(found, Ending):
            return self._record(status=found.status, cause=found.cause)
        return found

    def _record(self, **facts: Any) -> Evaluation:
        return Evaluation(**{**self._facts, **facts, "elapsed_s": time.monotonic() - self._begun})

    def _evaluated(self) -> Evaluation | Ending:
        launch = self._runner.launch(self._cell)
        path = self._runner.writer.path
        try:
            child = Child(
                launch.python, launch.environment, path / self._facts["log"], None, path / TEMPORARY_FOLDER
            )
        except OSError as error:
            return Ending("failed", f"cannot start {launch.python}: {error.strerror}")
        with child:
            client = WorkerClient(child, self._runner.request.protocol.timeout_s, SilentObserver(), 0)
            refused = self._prepared(client)
            if refused:
                return refused
            return self._answered(client)

    def _prepared(self, client: WorkerClient) -> Ending | None:
        """Load the row and let it pass the checks of any cell, at the batch size that it is asked at."""
        cell, protocol = self._cell, self._runner.request.protocol
        message = open_message(
            cell,
            self._runner.plan.row(cell).choice,
            self._runner.model.artifacts[self._of.form(cell)],
            request=self._runner.request,
            model=self._runner.model,
            cache=self._runner.compile_folder(cell),
        )
        message = replace(message, images=cell.batch_size)
        facts, ending = open_checked(client, cell, message, protocol.budget_s)
        self._facts |= facts
        return ending

    def _answered(self, client: WorkerClient) -> Evaluation | Ending:
        done, answers = 0, list[Evaluated]()
        for shard in self._of.shards.parts:
            self._tell(done, shard.count)
            answer = client.evaluate(self._cell, self._request(shard))
            if isinstance(answer, Ending):
                return answer
            if max(len(answer.first), len(answer.squared_errors)) != shard.count:
                return Ending(
                    "broken-protocol", "the worker answered another number of rows than it was given"
                )
            answers.append(answer)
            done += shard.count
        try:
            arrays = _arrays(answers)
        except (ValueError, TypeError) as error:
            return Ending("broken-protocol", f"the worker's answers are malformed: {error}")
        name = f"accuracy/{self._name}.npz"
        digest = write_arrays(self._runner.writer.path, name, arrays)
        counts = figures(arrays, self._of.shards.labels, self._of.shards.info.classes)
        return self._record(status="ok", file=name, file_hash=digest, rows=done, **counts)

    def _tell(self, done: int, count: int) -> None:
        """Say which rows are asked for now: no count of what was answered, which the worker tells at a shard's end only."""
        row = f"{self._cell.framework} {self._cell.precision} on {self._cell.device}"
        whole = self._of.shards.info.rows
        part = (
            counted(whole, "row") if count == whole else f"rows {done + 1:,} to {done + count:,} of {whole:,}"
        )
        self._runner.observer.preparing(f"accuracy of {row}: answering {part}")

    def _request(self, shard: Shard) -> Evaluate:
        shards = self._of.shards
        return Evaluate(
            batch_size=self._cell.batch_size,
            rows=[str(path) for path in shard.rows],
            layout=shards.layout,
            dtype=str(self._runner.model.info.inputs[0]["dtype"]) if shards.affine else "",
            affine=dict(shards.affine or {}),
            output=shards.info.output,
            targets=str(shard.targets or ""),
        )


def _arrays(answers: list[Evaluated]) -> dict[str, Any]:
    first = [row for answer in answers for row in answer.first]
    if first:
        kind = np.int16 if max(map(max, first)) < 2**15 else np.int32
        return {"first": np.asarray(first, kind)}
    errors = [value for answer in answers for value in answer.squared_errors]
    cosines = [value for answer in answers for value in answer.cosines]
    return {"squared_error": np.asarray(errors, np.float32), "cosine": np.asarray(cosines, np.float32)}


def figures(arrays: dict[str, Any], labels: Any, classes: int) -> dict[str, Any]:
    """Return the counts that a line keeps of what every row was answered."""
    if labels is None:
        lost = int(np.count_nonzero(~np.isfinite(arrays["squared_error"])))
        means = {name: float(np.mean(values.astype(np.float64))) for name, values in arrays.items()}
        return {"not_finite": lost, **{name: mean for name, mean in means.items() if np.isfinite(mean)}}
    first = arrays["first"]
    right = first == labels[:, None]
    return {
        "top1": int(np.count_nonzero(right[:, 0])),
        "top5": int(np.count_nonzero(right.any(axis=1))) if classes > FIRST else None,
        "not_finite": int(np.count_nonzero(first[:, 0] < 0)),
    }
