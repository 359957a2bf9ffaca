"""How far a precision may be from the reference; docs/models.md lists the measurements behind each number."""

from __future__ import annotations

from dataclasses import dataclass, replace

ORDER = ("fp32", "tf32", "fp16", "bf16", "int8-weights", "int8")  # from the finest to the coarsest


@dataclass(frozen=True)
class Limit:
    """What one precision may differ from fp32 whatever the model; a model's own ambiguity raises the errors' limits."""

    max_rel: float  # largest error of any element over the largest reference value of its output
    cosine: float  # smallest of any row
    equal: float  # smallest share of equal integers
    slice_rel: float  # rms error of a slice over the rms by which its values differ between inputs
    gain: float  # largest |slope - 1| of outputs over reference, both around their means over the rows
    unit: float  # largest relative error of storing a value
    ties: float = 1e-4  # share of integers that near ties may change, where an output has many (`integers`)

    def without_ties(self) -> Limit:
        """Return the limit where no tie explains what differs."""
        return replace(self, ties=0.0)


_INT8 = Limit(1e-1, 0.99, 0.9, 1.5e-1, 2.5e-2, 2.0**-11)  # 255 steps, the same in the reference
LIMITS: dict[str, Limit] = {
    "fp32": Limit(1e-4, 0.99999, 1.0, 3e-4, 3e-4, 2.0**-24),
    "tf32": Limit(4e-2, 0.999, 0.99, 2e-2, 1e-2, 2.0**-11),  # 11-bit significand of the factors, fp32 sums
    "fp16": Limit(4e-2, 0.999, 0.99, 2e-2, 1e-2, 2.0**-11),  # of the factors and the activations
    "bf16": Limit(2.5e-1, 0.975, 0.95, 8e-2, 2e-2, 2.0**-8),  # 8-bit significand
    "int8-weights": _INT8,  # the values may be rounded as they come
    "int8": _INT8,
}


def limit_of(precision: str) -> Limit:
    """Return the limits of a precision; ValueError names the known ones."""
    if precision not in LIMITS:
        raise ValueError(f"no parity limits for precision '{precision}' (known: {', '.join(LIMITS)})")
    return LIMITS[precision]


def coarser(first: str, second: str) -> str:
    """Return the precision with the wider limits; "" is none."""
    return max((first, second), key=lambda name: ORDER.index(name) if name in ORDER else -1)


def tolerant(limit: Limit, tolerance: float) -> Limit:
    """Return the limit of a user who states what error is no fault: it replaces every other one."""
    return replace(
        limit,
        max_rel=tolerance,
        cosine=-1.0,
        equal=1 - tolerance,
        slice_rel=tolerance,
        gain=float("inf"),
        ties=0.0,
    )
