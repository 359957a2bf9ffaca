"""An .npz of rows and answers as shards: rows as the model takes them, or bytes that are still to be normalised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.models.artifact_cache import hash_file
from inferometer.models.datasets.found import Arrays, check_numbers
from inferometer.models.datasets.npz import Member, members
from inferometer.models.datasets.preprocessing import Preprocessing
from inferometer.models.datasets.shards import Shards, check_space, in_parts, rows_a_shard
from inferometer.records import DatasetInfo

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Interface:
    """What a model takes and gives."""

    inputs: Sequence[Spec]
    outputs: Sequence[tuple[int, ...]]  # their shapes without the batch
    layout: str  # of 4-D inputs


def shards_of(found: Arrays, model: Interface, wanted: Preprocessing | None, folder: Path) -> Shards:
    """Write an .npz as shards into ``folder``; UsageError (one line) for rows or answers that do not fit the model.

    ``wanted``: what bytes (uint8) are normalised by, None: they are fed as numbers.
    """
    specs, outputs = model.inputs, model.outputs
    arrays = members(found.path)
    if "y" not in arrays:
        raise UsageError(
            f"{found.path} has no array 'y' (it has {', '.join(arrays)}); save it with numpy.savez(FILE, x=rows, y=answers)"
        )
    answers = arrays["y"]
    inputs = [_named(found.path, arrays, spec, alone=len(specs) == 1) for spec in specs]
    for member, spec in zip(inputs, specs, strict=True):
        _check_input(member, spec, answers, wanted)
    output = _output(found.path, answers, outputs)
    scores = scores_output(outputs) if output is None else 0
    classes = int(np.prod(outputs[scores])) if output is None else 0
    labels = None
    if output is None:
        labels = answers.whole().reshape(-1).astype(np.int64)
        check_numbers(found.path, labels.tolist(), classes)
    row_bytes = sum(_bytes(spec, wanted) for spec in specs)
    check_space(
        folder, (row_bytes + (0 if output is None else answers.row_bytes)) * answers.shape[0], found.path
    )
    count = rows_a_shard(row_bytes)
    parts = in_parts(
        [_cast(member, spec, wanted, count) for member, spec in zip(inputs, specs, strict=True)],
        None if output is None else _values(answers, count),
        folder,
    )
    info = DatasetInfo(
        path=str(found.path),
        kind="classes" if output is None else "values",
        hash=hash_file(found.path),
        rows=answers.shape[0],
        classes=classes,
        output=scores if output is None else output,
        outputs=len(outputs),
        preprocessing=wanted.facts if wanted else {},
    )
    affine = wanted.affine if wanted else None
    return Shards(info, tuple(parts), labels, affine, model.layout)


def scores_output(outputs: Sequence[tuple[int, ...]], classes: int = 0) -> int:
    """Return which output gives class scores: the only one of ``classes`` (0: not known), else the first; UsageError where none does."""
    rows = [place for place, shape in enumerate(outputs) if sum(size > 1 for size in shape) == 1]
    fitting = [place for place in rows if int(np.prod(outputs[place])) == classes]
    if not rows:
        told = "x".join(map(str, outputs[0])) or "one number"
        raise UsageError(
            f"the model's first output is {told} an image: no class scores; give an .npz whose y has that shape"
        )
    return fitting[0] if len(fitting) == 1 else rows[0]


def _bytes(spec: Spec, wanted: Preprocessing | None) -> int:
    size = 1 if wanted else np.dtype(spec["dtype"]).itemsize
    return int(np.prod(spec["shape"][1:], dtype=np.int64)) * size


def _named(path: Path, arrays: Mapping[str, Member], spec: Spec, *, alone: bool) -> Member:
    name = "x" if alone and "x" in arrays else spec["name"]
    if name not in arrays:
        raise UsageError(
            f"{path} has no array '{'x' if alone else name}' (it has {', '.join(arrays)}); give one for each of the model's "
            "inputs, and y"
        )
    return arrays[name]


def _check_input(found: Member, spec: Spec, answers: Member, wanted: Preprocessing | None) -> None:
    told = f"{found.path}: '{found.name}'"
    if found.shape[1:] != tuple(spec["shape"][1:]) or not found.shape:
        row = "x".join(map(str, spec["shape"][1:])) or "one number"
        raise UsageError(f"{told} has shape {found.shape}, the model takes {row} a row")
    if not answers.shape or found.shape[0] != answers.shape[0] or not found.shape[0]:
        raise UsageError(f"{told} and 'y' need the same number of rows, at least one")
    if wanted and found.dtype != np.uint8:
        raise UsageError(
            f"{told} is {found.dtype}, which --preprocess is not for: leave it out, or give uint8"
        )
    taken = np.dtype(spec["dtype"])
    if not wanted and taken.kind != "f" and not np.can_cast(found.dtype, taken, "same_kind"):
        raise UsageError(f"{told} is {found.dtype}, the model takes {taken}")


def _output(path: Path, answers: Member, outputs: Sequence[tuple[int, ...]]) -> int | None:
    """Return which output the answers are values of; None where they are class numbers."""
    numbered = answers.dtype.kind in "iub" and answers.shape[1:] in ((), (1,))
    if numbered and any(sum(size > 1 for size in shape) == 1 for shape in outputs):
        return None
    fitting = [place for place, shape in enumerate(outputs) if shape == answers.shape[1:]]
    if not fitting or answers.dtype.kind == "b":
        told = " or ".join("x".join(map(str, shape)) or "one number" for shape in outputs)
        wanted = (
            f"no output is a row of class scores: give {told} a row"
            if numbered
            else f"give class numbers (whole, one a row), or {told} a row"
        )
        raise UsageError(f"{path}: 'y' is {answers.dtype} of shape {answers.shape}; {wanted}")
    return fitting[0]


def _cast(member: Member, spec: Spec, wanted: Preprocessing | None, count: int) -> Iterator[Any]:
    start = 0
    for part in member.rows(count):
        array = part if wanted else part.astype(spec["dtype"])
        if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
            raise UsageError(
                f"{member.path}: '{member.name}' has NaN or infinity in rows {start} to {start + len(part) - 1}"
            )
        start += len(part)
        yield array


def _values(answers: Member, count: int) -> Iterator[Any]:
    """Yield answers that are values; UsageError for NaN and infinity, and for classes one-hot."""
    for number, part in enumerate(answers.rows(count)):
        told = f"{answers.path}: '{answers.name}'"
        if not np.all(np.isfinite(part)):
            start = number * count
            raise UsageError(f"{told} has NaN or infinity in rows {start} to {start + len(part) - 1}")
        rows = part.reshape(len(part), -1)
        if number == 0 and rows.shape[1] > 1 and _is_one_hot(rows):
            raise UsageError(f"{told} is one-hot; give class numbers: y.argmax(axis=1)")
        yield part


def _is_one_hot(rows: Any) -> bool:
    return bool(np.all((rows == 0) | (rows == 1)) and np.all(rows.sum(axis=1) == 1))
