"""Outputs whose size is each row's own, as a detector's list of boxes: the shorter ones end in zeros."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np


def concatenated(parts: Sequence[Any]) -> Any:
    """Return arrays as one along the first axis; where other axes differ, each is filled up with zeros to the longest."""
    shapes = {np.shape(part)[1:] for part in parts}
    if len(shapes) == 1 or len({len(shape) for shape in shapes}) > 1:
        return np.concatenate(parts)
    longest = tuple(max(sizes) for sizes in zip(*shapes))
    return np.concatenate([filled(part, longest) for part in parts])


def filled(array: Any, sizes: Sequence[int]) -> Any:
    """Return an array whose axes but the first have these sizes at least, filled up with zeros."""
    missing = [max(0, size - own) for size, own in zip(sizes, array.shape[1:])]
    return np.pad(array, [(0, 0), *((0, count) for count in missing)]) if any(missing) else array


def together(results: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return several results of a model, a list of outputs each, filled up to the same sizes."""
    longest = [
        tuple(max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays)))
        if len({array.ndim for array in arrays}) == 1
        else ()
        for arrays in zip(*results)
    ]
    return [[filled(array, sizes) for array, sizes in zip(result, longest)] for result in results]


def filled_as(outputs: Sequence[Any], expected: Sequence[Any], which: Collection[int]) -> list[Any]:
    """Return outputs, those that ``which`` names filled up to the sizes of what is expected; longer ones as they are."""
    if len(outputs) != len(expected):
        return list(outputs)
    return [
        filled(array, wanted.shape[1:]) if place in which and array.ndim == wanted.ndim else array
        for place, (array, wanted) in enumerate(zip(outputs, expected))
    ]
