"""What generated inputs are, in words: the rules of `tensors.generate`, told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inferometer.models.steps import tensors


def words(
    request: Mapping[str, Any], specs: Sequence[tensors.Spec], sizes: Mapping[str, int]
) -> dict[str, str]:
    """Return what each input was drawn from, as in "0 to 30521" or "normal(0, 1)"; nothing where rows were given.

    ``sizes``: rows of the table that an input is looked up in, as for `tensors.generate`.
    """
    if request["inputs"] or request.get("images"):
        return {}
    ranges = request["ranges"]
    return {spec["name"]: _words(spec, ranges.get(spec["name"]), sizes) for spec in specs}


def _words(spec: tensors.Spec, limits: Sequence[float] | None, sizes: Mapping[str, int]) -> str:
    dtype = np.dtype(spec["dtype"])
    if limits is not None and limits[0] == limits[1]:
        return f"{limits[0]:g}"
    if dtype.kind == "f":
        return "normal(0, 1)" if limits is None else f"uniform({limits[0]:g}, {limits[1]:g})"
    if limits is None and tensors.is_mask(spec):
        return "ones"
    if dtype.kind == "b":
        return "0 or 1"
    low, high = tensors.integer_limits(spec, limits, sizes, dtype)
    return f"{low} to {high - 1}"
