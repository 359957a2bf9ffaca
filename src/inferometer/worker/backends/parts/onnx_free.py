"""Which outputs of an ONNX file have no size before they are computed."""

from __future__ import annotations

from typing import Any


def free_outputs(session: Any) -> list[str]:
    """Return the outputs whose shape the data of a batch may decide: the file leaves a size open that no input has."""
    known = {size for value in session.get_inputs() for size in value.shape if isinstance(size, str)}
    return [
        value.name
        for value in session.get_outputs()
        if any(not isinstance(size, int) and size not in known for size in value.shape[1:])
    ]
