"""How often the answers are right on the user's own data: the data set of a run, and a line of accuracy.jsonl a row."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from inferometer.records.cell import Cell, Status
from inferometer.records.checks import Actual, Parity
from inferometer.records.limits import Count


class DatasetInfo(msgspec.Struct, frozen=True):
    """The user's own data with their answers, and what was made of them before any model saw them."""

    path: str = ""
    kind: Literal["classes", "values"] = "classes"  # what is known of each row
    hash: str = ""  # of every file's content and answer, in order
    rows: Count = 0
    classes: Count = 0  # of the model
    output: Count = 0  # which of the model's outputs answers
    outputs: Count = 1  # that it has
    labels: tuple[str, ...] = ()  # the classes' names in the model's order; () where numbers were given
    labels_hash: str = ""
    preprocessing: dict[str, Any] = {}  # {}: the rows are fed as they are

    @property
    def key(self) -> str:
        """Return what evaluations must share to be comparable: data, answers and preprocessing."""
        judged = f"/{self.output}" if self.output else ""
        return f"{self.hash}/{self.labels_hash}/{sorted(self.preprocessing.items())}{judged}"


class Evaluation(msgspec.Struct, frozen=True):
    """One framework at one precision on one device over the whole data set, as it ended: a line of accuracy.jsonl.

    ``cell``: the worker that was asked, at the row's largest batch size that ended well. What each image was answered lies
    in ``file``.
    """

    cell: Cell
    status: Status
    cause: str = ""
    dataset: DatasetInfo = DatasetInfo()  # without the labels, which run.json has
    rows: Count = 0  # answered
    top1: Count | None = None  # of them right
    top5: Count | None = None  # of them with the right class among the first five; None below six classes
    not_finite: Count = 0  # of them answered by NaN or infinity, which is wrong
    squared_error: float | None = None  # mean over rows of the mean over values, where there are no classes
    cosine: float | None = None  # mean over rows
    file: str = ""  # relative to the run directory
    file_hash: str = ""  # SHA-256
    beside: bool = False  # an fp32 row that was not asked for, as a reference for the others
    parity: Parity | None = None  # of this very worker, before it was asked
    actual: Actual | None = None
    tool: str = ""  # inferometer's version
    started_at: str = ""
    elapsed_s: float = 0.0
    log: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for more right answers than rows."""
        counts = {"top1": self.top1, "top5": self.top5, "not_finite": self.not_finite}
        for name, count in counts.items():
            if count is not None and count > self.rows:
                raise ValueError(f"{name} is {count} of {self.rows} rows")
