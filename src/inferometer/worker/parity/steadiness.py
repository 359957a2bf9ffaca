"""Whether the reference is steady enough to judge by: what it differs from itself no framework can be blamed for."""

from __future__ import annotations

import numpy as np

from inferometer.worker.parity.ambiguity import Ambiguity
from inferometer.worker.parity.arrays import is_float
from inferometer.worker.parity.limits import coarser
from inferometer.worker.parity.spread import SpreadError

MOST = 0.45  # of the spread, for the steadiest output: a right framework may differ by twice as much, a constant by 1
ALONE = 1e-2  # of the spread: far above any order of summation (measured: 1e-6)

WORDS = {
    "optimised": "computed with other graph optimisations",
    "alone": "computed one row at a time",
    "moved": "with inputs and weights moved by one unit in the last place",
    "fp16": "with inputs and weights moved by one unit in the last place of fp16",
    "bf16": "with inputs and weights moved by one unit in the last place of bf16",
}


def check_steady(ambiguity: Ambiguity, stored: str = "") -> None:
    """Raise SpreadError for a reference that depends on the batch it is computed in, or answers chaotically.

    ``stored``: the precision inside the model's file.
    """
    found = ambiguity.facts()
    alone = found.get("alone", 0.0)
    if alone > max(ALONE, 10 * found.get("moved", 0.0)):
        raise SpreadError(
            f"the reference depends on the batch it is computed in: a row computed alone differs by {alone:.2f} of what "
            "other inputs change, so no row has one right answer; export the model for inference (a batch norm in training "
            "mode, a mean over the batch?), or fix its batch to 1 (--shape)"
        )
    check_ambiguity(ambiguity, coarser("fp32", stored))


def check_ambiguity(ambiguity: Ambiguity, precision: str) -> None:
    """Raise SpreadError if the reference differs from itself by so much that no output can be judged."""
    if not all(is_float(np.asarray(array)) for array in ambiguity.reference):
        return  # integers must be equal whatever the floats do
    worst = {kind: min(ambiguity.relative(kind)) for kind in ambiguity.concerning(precision)}
    kind = max(worst, key=worst.__getitem__, default="")
    if kind and worst[kind] >= MOST:
        raise SpreadError(
            f"the reference answers chaotically at {precision}: {WORDS[kind]} it differs by {worst[kind]:.2f} of what "
            "other inputs change; made-up inputs may be why"
        )
