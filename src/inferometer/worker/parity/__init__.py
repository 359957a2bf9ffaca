"""How far a framework's outputs are from the reference; pure numpy, so that worker and core judge alike.

`compare` gives the fields of `records.Parity`, `check_judgeable` refuses a reference that could not fail anything.
    limits      what each precision may differ whatever the model
    spread      whether a constant would pass
    slices      how an output is cut into slices, each with a scale of its own
    ambiguity   how far the reference differs from itself, measured when it is made; it raises the limits
    steadiness  whether the reference can judge anything then
    measures    of whole outputs
    integers    how many of an output's may differ
    slice_error of the slice that is furthest beyond its limit
    compare     the verdict
    agreement   of how many inputs the top class is the reference's, and whether outputs are class scores at all
"""

from inferometer.worker.parity.ambiguity import Ambiguity
from inferometer.worker.parity.compare import check_judgeable, compare
from inferometer.worker.parity.limits import LIMITS, Limit, limit_of
from inferometer.worker.parity.spread import SpreadError
from inferometer.worker.parity.steadiness import check_steady

__all__ = [
    "LIMITS",
    "Ambiguity",
    "Limit",
    "SpreadError",
    "check_judgeable",
    "check_steady",
    "compare",
    "limit_of",
]
