"""What a model answers to a shard of the user's own data, in as few numbers as can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.aligned import aligned_like
from inferometer.worker.backend import Backend, Opening, Outputs
from inferometer.worker.data import to_layout
from inferometer.worker.protocol import Evaluate, Evaluated

FIRST = 5  # classes that are kept of each row
NOT_FINITE = -1  # in place of a class where a row's scores are NaN or infinite


def evaluate(backend: Backend, opening: Opening, request: Evaluate) -> Evaluated:
    """Run every row of a shard; the last batch is filled up with its last row, so that all have the shape prepared for."""
    targets = np.load(request.targets, allow_pickle=False) if request.targets else None
    answer = Evaluated()
    for start, count, outputs in _batches(backend, opening, request):
        values = np.asarray(outputs[request.output])[:count]
        if targets is None:
            answer.first += first_classes(values).tolist()
        else:
            errors, cosines = distances(values, targets[start : start + count])
            answer.squared_errors += errors
            answer.cosines += cosines
    return answer


def first_classes(scores: Any) -> Any:
    """Return the classes of the largest scores of each row, (rows, 5 or fewer), of equal ones the lowest number first."""
    flat = scores.reshape(len(scores), -1).astype(np.float64)
    found = np.argsort(-flat, axis=1, kind="stable")[:, :FIRST]
    found[~np.isfinite(flat).all(axis=1)] = NOT_FINITE
    return found


def distances(values: Any, targets: Any) -> tuple[list[float | None], list[float | None]]:
    """Return of each row the mean squared error and the cosine of its values; None where they are not finite.

    Of zeros, which have no direction, the cosine is 1 where zeros are right, else 0.
    """
    flat, wanted = (array.reshape(len(array), -1).astype(np.float64) for array in (values, targets))
    if flat.shape != wanted.shape:
        raise ValueError(f"outputs have {flat.shape[1]} values a row, the answers {wanted.shape[1]}")
    with np.errstate(all="ignore"):
        errors = np.mean((flat - wanted) ** 2, axis=1)
        norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(wanted, axis=1)
        cosines = np.einsum("ij,ij->i", flat, wanted) / norms
    cosines = np.where(norms == 0, errors == 0, cosines)
    return _finite(errors), _finite(cosines)


def _finite(values: Any) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _batches(backend: Backend, opening: Opening, request: Evaluate) -> Iterator[tuple[int, int, Outputs]]:
    """Yield where each batch begins, how many of its rows count, and what it gave."""
    stored = [np.load(Path(path), mmap_mode="r", allow_pickle=False) for path in request.rows]
    size, rows = request.batch_size, len(stored[0])
    held: tuple[Any, ...] | None = None
    for start in range(0, rows, size):
        count = min(size, rows - start)
        parts = [normalised(array[start : start + count], request) for array in stored]
        ready = [
            to_layout(part, request.layout, opening.layout, backend.memory_layout or opening.layout)
            for part in parts
        ]
        held = held or tuple(aligned_like(part, size) for part in ready)
        for buffer, part in zip(held, ready):
            buffer[:count] = part
            buffer[count:] = part[-1:]
        yield start, count, backend.run(held)


def normalised(rows: Any, request: Evaluate) -> Any:
    """Return bytes of pixels as the model takes them, (pixel x scale - mean) / std; other rows as they are."""
    if not request.affine:
        return np.asarray(rows)
    channel = 1 if request.layout == "NCHW" else rows.ndim - 1
    pixels = np.flip(rows, channel) if request.affine["order"] == "BGR" and rows.shape[channel] == 3 else rows
    if request.dtype == "uint8":
        return np.ascontiguousarray(pixels)
    scaled = pixels.astype(np.float32) * np.float32(request.affine["scale"])
    for name, change in (("mean", np.subtract), ("std", np.divide)):
        scaled = change(scaled, _by_channel(request.affine, name, rows.ndim, channel))
    return scaled.astype(request.dtype)


def _by_channel(affine: Mapping[str, Any], name: str, dimensions: int, channel: int) -> Any:
    values = np.asarray(affine[name], np.float32)
    return values.reshape([-1 if axis == channel else 1 for axis in range(dimensions)])
