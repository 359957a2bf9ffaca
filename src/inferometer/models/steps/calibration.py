"""The rows that a quantising step learns ranges from: the user's, or those that the model is checked with. Pure numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import checks, tensors

BATCH = 1  # rows at once, so that the largest activation of all is never held with others


def rows(request: Mapping[str, Any]) -> checks.Rows:
    """Return all rows by input, in the layout of the model that the request is about."""
    if request["calibration"]:
        return _read(request, "calibration")
    more = more_of(request)(0)
    return {name: np.concatenate([array, more[name]]) for name, array in timed(request).items()}


def timed(request: Mapping[str, Any]) -> checks.Rows:
    """Return the rows of the timed loops, in that layout."""
    return _read(request, "inputs")


def batches(request: Mapping[str, Any], at_once: int = BATCH) -> list[checks.Rows]:
    """Return the rows in batches that the model takes, ``at_once`` where its batch is free."""
    found, size = rows(request), tensors.batch_of(request["specs"]) or at_once
    return [
        {name: array[start : start + size] for name, array in found.items()}
        for start in range(0, max(_count(found) - size, 0) + 1, size)
    ]


def count(request: Mapping[str, Any]) -> int:
    """Return how many rows there are."""
    return _count(rows(request))


def _count(found: checks.Rows) -> int:
    return len(next(iter(found.values())))


def more_of(request: Mapping[str, Any]) -> Callable[[int], checks.Rows]:
    """Return what gives at most so many rows for checks only: those of the source, so that both can be compared."""

    return lambda wanted: _read(request, "more") if request["more"] else _none(timed(request))


def reference(
    request: Mapping[str, Any], compute: checks.Compute, batch: int | None, out: Path
) -> dict[str, Any]:
    """Write what a quantised form answers plainly to the timed rows into ``out``, and return the checks made of it.

    Computed anew for the reference, so that a form whose answers change from call to call is found out.
    """
    given = timed(request)
    tensors.write_check(out, compute(given, None))
    made = checks.Reference(
        given,
        compute(given, None),
        compute,
        batch,
        more_of(request),
        checks.moved_ways(compute),
        _given(request),
    )
    return made.write(out)


def _given(request: Mapping[str, Any]) -> Callable[[int], checks.Rows]:
    """Return what gives so many rows for checks only as the source has them: a worker turns them to its model's layout itself."""

    def given(count: int) -> checks.Rows:
        with np.load(request["more"]) as file:
            return {name: file[name][:count] for name in file.files}

    return given


def _none(rows: checks.Rows) -> checks.Rows:
    return {name: array[:0] for name, array in rows.items()}


def _read(request: Mapping[str, Any], which: str) -> checks.Rows:
    """Return the rows of one file, turned to the model's layout and by the names of its inputs."""
    arrays = tensors.rows_of({**request, "inputs": request[which]})
    names = [spec["name"] for spec in request["specs"]]
    return dict(zip(names, arrays, strict=True))
