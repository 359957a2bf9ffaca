"""The rows that go with an artifact: to check outputs with, and to measure with; and the limits of that check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from inferometer.exporting.located import Located
from inferometer.models.step_cache import read_arrays
from inferometer.worker.data import ImageStack
from inferometer.worker.parity import Ambiguity, integers, limit_of
from inferometer.worker.parity.arrays import is_float
from inferometer.worker.parity.limits import coarser, tolerant
from inferometer.worker.parity.spread import SMALLEST_MAGNITUDE

MOST_ROWS = 16


def write_rows(located: Located, memory_layout: str, path: Path) -> int:
    """Write at most `MOST_ROWS` of the rows that were measured, in the artifact's layout, and what they have to give."""
    artifact = located.artifact
    stack = ImageStack.load(
        located.inputs, located.reference, located.source_layout, artifact.layout, images=0
    )
    places = _kept(len(stack.rows[0]))
    turned = memory_layout == "NHWC" and artifact.layout == "NCHW"
    arrays: dict[str, Any] = {}
    for number, rows in enumerate(stack.rows):
        last = turned and rows.ndim == 4  # an .npz keeps C order only
        name = f"input_{number}_NHWC" if last else f"input_{number}"
        arrays[name] = np.ascontiguousarray(rows[places].transpose(0, 2, 3, 1) if last else rows[places])
    arrays |= {f"output_{number}": rows[places] for number, rows in enumerate(stack.reference)}
    np.savez(path, **arrays)
    return len(places)


def _kept(count: int) -> Any:
    """Return the numbers of the rows that are kept of so many."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(int))


def limits(located: Located, precision: str, tolerance: float | None) -> dict[str, Any]:
    """Return what `infer.py --check` allows each output: those of the cell's own parity that need no slices.

    ``scale``: the largest value of all measured rows, over which the largest error is held; 0 for whole numbers, whose
    error is the share that differs. An error of None: each row's answer has a size of its own and is not compared.
    """
    precision = coarser(precision, located.checks.stored)
    limit = limit_of(precision) if tolerance is None else tolerant(limit_of(precision), tolerance)
    found = located.checks.ambiguity if tolerance is None else None
    ambiguity = Ambiguity.load(found) if found else None
    outputs: list[dict[str, Any]] = []
    for number, rows in enumerate(read_arrays(located.reference)):
        name = located.artifact.outputs[number].name
        scale, cosine = 0.0, -1.0
        if not is_float(rows):
            kept = rows[_kept(len(rows))]
            ambiguous = ambiguity.differing(number, precision) if ambiguity else 0.0
            error = integers.allowed(kept, limit, ambiguous) / kept.size
        else:
            largest = float(np.max(np.abs(rows)))
            scale = largest if largest >= SMALLEST_MAGNITUDE else 1.0
            error, cosine = limit.max_rel, limit.cosine
            if ambiguity:
                error = max(error, ambiguity.largest(number, precision) / scale)
                cosine = min(cosine, ambiguity.cosine(number, precision))
        compared = number not in located.checks.ragged
        outputs.append({"name": name, "scale": scale, "error": error if compared else None, "cosine": cosine})
    return {"precision": precision, "outputs": outputs}
