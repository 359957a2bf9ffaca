"""Responses that LoadGen logged, held against the reference: its accuracy mode, and its sample of a performance run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.answers import Answers
from inferometer.worker.backend import Outputs
from inferometer.worker.checks import Judge
from inferometer.worker.data import ImageStack
from inferometer.worker.ragged import concatenated

ACCURACY_FILE = "mlperf_log_accuracy.json"


class EncodedRows(list[Any]):
    """Rows as `bytes_of` returns them, from another process."""


def rows_of(outputs: Outputs, count: int) -> list[Any]:
    """Return the first rows of outputs, each as bytes."""
    return (
        outputs[:count] if isinstance(outputs, EncodedRows) else [bytes_of(outputs, n) for n in range(count)]
    )


def bytes_of(outputs: Outputs, place: int) -> Any:
    """Return one row of every output as bytes: its shape, which may be its own (`worker.ragged`), then its values."""
    parts = []
    for array in outputs:
        row = np.asarray(array[place])
        values = np.ascontiguousarray(row).reshape(-1)
        parts += [np.array(row.shape, np.int64).view(np.uint8), values.view(np.uint8)]
    return np.concatenate(parts)


def compare_responses(folder: Path, stack: ImageStack, judge: Judge, like: Outputs) -> dict[str, Any]:
    """Return the fields of `records.Parity` of the responses in LoadGen's log.

    ``like``: outputs of any batch, whose rows have the responses' types and numbers of axes. ValueError where nothing was logged.
    """
    entries = json.loads((folder / ACCURACY_FILE).read_text())
    if not entries:
        raise ValueError(f"LoadGen logged no responses in {folder / ACCURACY_FILE}")
    numbers = [int(entry["qsl_idx"]) for entry in entries]
    order = sorted(range(len(entries)), key=lambda place: numbers[place])
    firsts = _firsts([numbers[place] for place in order])
    ordered = [order[place] for place in firsts]  # different inputs come first
    rows = [bytes.fromhex(entries[place]["data"]) for place in ordered]
    outputs = [
        concatenated([part[None] for part in parts]) for parts in zip(*(_parted(row, like) for row in rows))
    ]
    distinct = min(len({numbers[place] % len(stack.reference[0]) for place in ordered}), len(ordered))
    expected = stack.expected([numbers[place] for place in ordered])
    return judge.compare(Answers.of(outputs, expected, distinct, stack.ragged))


def _firsts(numbers: list[int]) -> list[int]:
    """Return the places of numbers that were not seen before, then those of the others."""
    known: set[int] = set()
    new: list[int] = []
    again: list[int] = []
    for place, number in enumerate(numbers):
        (again if number in known else new).append(place)
        known.add(number)
    return new + again


def _parted(row: bytes, like: Outputs) -> list[Any]:
    """Return one row of every output from the bytes of all; ValueError for another number of bytes."""
    parts, start = [], 0
    for array in like:
        axes = array.ndim - 1
        shape = np.frombuffer(row, np.int64, axes, start) if axes else np.array([], np.int64)
        start += 8 * axes
        count = math.prod(shape.tolist())
        part = np.frombuffer(row, array.dtype, count, start) if count else np.array([], array.dtype)
        parts.append(part.reshape(shape))
        start += part.nbytes
    if start != len(row):
        raise ValueError(f"a response has {len(row)} bytes, a row of outputs {start}")
    return parts
