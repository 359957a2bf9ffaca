"""What rows of a run answered to the user's own data: a line each, and a compact file of every image's answer.

Layout, in the run directory
    accuracy.jsonl           a `records.Evaluation` a line, appended as each row ends
    accuracy/ROW.npz         `first`: (rows, 5 or fewer) classes of the largest scores, -1 where they are not finite; or
                             `squared_error` and `cosine`: (rows,), NaN where not finite
    accuracy/answers-HASH.npz  `y`: the right classes, once a data set
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from inferometer.errors import StoreError
from inferometer.records import DatasetInfo, Evaluation
from inferometer.redaction import redacted_bytes
from inferometer.storage.durable import written
from inferometer.storage.inside import inside
from inferometer.storage.lines import append_line, cannot_write, read_lines
from inferometer.storage.regular import bytes_of, opened
from inferometer.worker.saved_arrays import UNREADABLE, read_archive

EVALUATIONS_FILE = "accuracy.jsonl"
FOLDER = "accuracy"

_decode = msgspec.json.Decoder(Evaluation)


def append_evaluation(run: Path, evaluation: Evaluation) -> None:
    """Add one row's evaluation to a run directory."""
    append_line(run / EVALUATIONS_FILE, redacted_bytes(msgspec.json.encode(evaluation)) + b"\n")


def read_evaluations(run: Path) -> tuple[Evaluation, ...]:
    """Return the evaluations in a run directory, none where there is no data set; StoreError names a damaged line."""
    return read_lines(run / EVALUATIONS_FILE, _decode.decode, "evaluation")


def decode_sound(run: Path, line: bytes) -> Evaluation:
    """Return the evaluation in a line, whose file is as it was written; StoreError or msgspec's errors where it is not."""
    found = _decode.decode(line)
    if found.status == "ok":
        read_arrays(run, found.file, found.rows)  # which raises where the line says another number of rows
        if found.top1 is not None:
            read_arrays(run, answers_file(found.dataset), found.rows)
        if (
            found.file_hash
            and found.file_hash != hashlib.sha256(bytes_of(inside(run, found.file))).hexdigest()
        ):
            raise StoreError(f"{found.file} is damaged")
    return found


def files_named(lines: bytes) -> list[str]:
    """Return the files that lines of evaluations name, relative to the run directory, each once; damaged lines name none."""
    found: dict[str, None] = {}
    for line in lines.splitlines():
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            told = _decode.decode(line)
            found |= dict.fromkeys([told.file, answers_file(told.dataset)] if told.file else [])
    return list(found)


def answers_file(dataset: DatasetInfo) -> str:
    """Return where the right classes of a data set lie, relative to the run directory."""
    return f"{FOLDER}/answers-{dataset.hash[:8]}.npz"


class _Evaluated(Protocol):
    """A run that was read."""

    @property
    def path(self) -> Path: ...

    @property
    def evaluations(self) -> tuple[Evaluation, ...]: ...


def copy_evaluations(runs: Sequence[_Evaluated], out: Path) -> None:
    """Copy the evaluations of several runs into one; a run that was given twice counts once. StoreError for damaged files."""
    known: set[tuple[str, str]] = set()
    for number, run in enumerate(runs):
        for found in run.evaluations:
            mark = found.cell.key, found.started_at
            if mark in known:
                continue
            known.add(mark)
            append_evaluation(out, _copied(found, run.path, out, number))


def _copied(found: Evaluation, run: Path, out: Path, number: int) -> Evaluation:
    if found.status != "ok":
        return found
    answers = answers_file(found.dataset)
    if found.top1 is not None and not (out / answers).exists():
        write_arrays(out, answers, read_arrays(run, answers, found.rows))
    name = f"{FOLDER}/{number}-{Path(found.file).name}"
    digest = write_arrays(out, name, read_arrays(run, found.file, found.rows))
    return msgspec.structs.replace(found, file=name, file_hash=digest)


def write_arrays(run: Path, name: str, arrays: Mapping[str, Any]) -> str:
    """Write arrays as ``name`` in a run directory, whole or not at all, and return the file's SHA-256."""
    target = run / name
    try:
        target.parent.mkdir(exist_ok=True)
        with written(target) as file:
            np.savez_compressed(file, **arrays)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
    except OSError as error:
        raise cannot_write(target, error) from error
    return digest


def read_arrays(run: Path, name: str, rows: int) -> dict[str, Any]:
    """Return the arrays in a file of a run directory; StoreError if it is damaged or has another number of rows."""
    if not name:
        raise StoreError(f"{run / EVALUATIONS_FILE} is damaged: it names no file of what was answered")
    path = inside(run, name)
    try:
        opened(path).close()
        arrays = read_archive(path)
    except (ValueError, *UNREADABLE) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise StoreError(f"cannot read {path}: {reason}") from error
    if any(array.ndim == 0 or len(array) != rows for array in arrays.values()):
        raise StoreError(f"{path} is damaged: it has not the {rows} rows that {EVALUATIONS_FILE} says")
    return arrays
