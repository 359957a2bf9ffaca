"""What an einsum costs. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence


def macs(equation: str, shapes: Sequence[Sequence[int]]) -> int:
    """Return the multiply-accumulates of a product of two arrays, 0 for a sum over one; ValueError for an ellipsis."""
    left = equation.replace(" ", "").partition("->")[0].split(",")
    if "." in equation or len(left) != len(shapes):
        raise ValueError(f"einsum {equation} is not counted")
    sizes = {letter: size for letters, shape in zip(left, shapes) for letter, size in zip(letters, shape)}
    return math.prod(sizes.values()) if len(left) > 1 else 0
