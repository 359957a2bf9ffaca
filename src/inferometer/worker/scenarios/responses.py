"""Responses that LoadGen logged, held against the reference: its accuracy mode, and its sample of a performance run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.answers import Answers
from inferometer.worker.backend import Outputs
from inferometer.worker.checks import Judge
from inferometer.worker.data import ImageStack

ACCURACY_FILE = "mlperf_log_accuracy.json"


def bytes_of(outputs: Outputs, place: int) -> Any:
    """Return one row of every output as bytes, one after the other."""
    rows = (np.ascontiguousarray(array[place]).reshape(-1).view(np.uint8) for array in outputs)
    return np.concatenate(list(rows))


def compare_responses(folder: Path, stack: ImageStack, judge: Judge, like: Outputs) -> dict[str, Any]:
    """Return the fields of `records.Parity` of the responses in LoadGen's log.

    ``like``: outputs of any batch, whose rows have the responses' types and shapes. ValueError where nothing was logged.
    """
    entries = json.loads((folder / ACCURACY_FILE).read_text())
    if not entries:
        raise ValueError(f"LoadGen logged no responses in {folder / ACCURACY_FILE}")
    numbers = [int(entry["qsl_idx"]) for entry in entries]
    order = sorted(range(len(entries)), key=lambda place: numbers[place])
    firsts = _firsts([numbers[place] for place in order])
    ordered = [order[place] for place in firsts]  # different inputs come first
    rows = [bytes.fromhex(entries[place]["data"]) for place in ordered]
    outputs = [np.stack(parts) for parts in zip(*(_parted(row, like) for row in rows))]
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
        one = array[0]
        parts.append(np.frombuffer(row, one.dtype, one.size, start).reshape(one.shape))
        start += one.nbytes
    if start != len(row):
        raise ValueError(f"a response has {len(row)} bytes, a row of outputs {start}")
    return parts
