"""How JAX is set, and how batches get to its device: a part of the templates for JAX."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import DEVICE, THREADS

PIECES = 1  # at most, in which a batch is sent, of 2 MiB or more: threads of XLA's own copy them side by side


def set_up() -> None:
    """Set what JAX reads when it is imported."""
    if DEVICE == "cpu":  # XLA sizes its pool by it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["JAX_PLATFORMS"] = DEVICE


def sent(jax: Any, batch: tuple[Any, ...], device: Any, join: Any) -> list[Any]:
    """Return the batch's arrays on the device, pieces joined there."""
    if PIECES == 1:
        return list(jax.device_put(batch, device))
    counts = [max(1, min(PIECES, len(array), array.nbytes >> 21)) for array in batch]
    cut = [np.array_split(array, count) if count > 1 else [array] for array, count in zip(batch, counts)]
    return [join(rows) if len(rows) > 1 else rows[0] for rows in jax.device_put(cut, device)]
