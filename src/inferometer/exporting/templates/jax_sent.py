"""How batches get to JAX's device: a part of the templates for JAX."""

from __future__ import annotations

from typing import Any

import numpy as np

PIECES = 1  # at most, in which a batch is sent, of 2 MiB or more: threads of XLA's own copy them side by side


def sent(jax: Any, batch: tuple[Any, ...], device: Any, join: Any) -> list[Any]:
    """Return the batch's arrays on the device, pieces joined there."""
    if PIECES == 1:
        return list(jax.device_put(batch, device))
    counts = [max(1, min(PIECES, len(array), array.nbytes >> 21)) for array in batch]
    cut = [np.array_split(array, count) if count > 1 else [array] for array, count in zip(batch, counts)]
    return [join(rows) if len(rows) > 1 else rows[0] for rows in jax.device_put(cut, device)]
