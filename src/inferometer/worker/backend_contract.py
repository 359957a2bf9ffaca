"""What a backend gave is what `backend.py` says, or the cell fails with what is wrong and where it is said."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Outputs
from inferometer.worker.failures import ContractBroken

_TOLD = ("device", "precision", "threads", "version", "versions", "details")


def runtime_of(module: ModuleType) -> type[Backend]:
    """Return a module's class `Runtime`; ContractBroken if there is none."""
    runtime = getattr(module, "Runtime", None)
    if isinstance(runtime, type) and issubclass(runtime, Backend):
        return runtime
    raise ContractBroken(
        f"{module.__file__} has no class Runtime that is a subclass of inferometer.worker.backend.Backend"
    )


def checked_outputs(outputs: Any) -> Outputs:
    """Return a batch's outputs as a list; ContractBroken unless they are numpy arrays, one a model output."""
    if not isinstance(outputs, (list, tuple)):
        raise ContractBroken(
            f"the backend gave {_kind(outputs)} for a batch, not a list with a numpy array a model output"
        )
    for number, array in enumerate(outputs):
        if not isinstance(array, (np.ndarray, np.generic)):
            raise ContractBroken(f"the backend gave {_kind(array)} as output {number}, not a numpy array")
    return list(outputs)


def checked_actual(actual: Any) -> dict[str, Any]:
    """Return what `actual` told; ContractBroken for what is no dictionary, or a key that no record has."""
    if not isinstance(actual, dict):
        raise ContractBroken(f"the backend's actual() gave {_kind(actual)}, not a dictionary")
    if strange := sorted(set(map(str, actual)) - set(_TOLD)):
        raise ContractBroken(
            f"the backend's actual() tells {', '.join(strange)}, which no record has: put it below 'details' "
            f"(known: {', '.join(_TOLD)})"
        )
    return actual


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "one array"
    return "nothing" if value is None else f"a {type(value).__name__}"
