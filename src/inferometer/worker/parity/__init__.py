"""How far a framework's outputs are from the reference; pure numpy, so that worker and core judge alike.

`compare` gives the fields of `records.Parity`, `check_judgeable` refuses a reference that could not fail anything.
    limits      what each precision may differ whatever the model
    slices      how an output is cut into slices, each with a scale of its own
    ambiguity   how far the reference differs from itself, measured when it is made; it raises the limits
    compare     measures and verdict
    agreement   of how many inputs the top class is the reference's, and whether outputs are class scores at all
"""

from inferometer.worker.parity.ambiguity import Ambiguity
from inferometer.worker.parity.compare import check_judgeable, compare
from inferometer.worker.parity.limits import LIMITS, Limit, limit_of
from inferometer.worker.parity.spread import SpreadError

__all__ = ["LIMITS", "Ambiguity", "Limit", "SpreadError", "check_judgeable", "compare", "limit_of"]
