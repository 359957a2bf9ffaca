"""An ONNX file in half precision, made by ONNX Runtime's own tool."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.backend import Opening, Outputs
from inferometer.worker.failures import Unsupported


def halved(opening: Opening) -> bytes:
    """Return the file with float16 weights and arithmetic; inputs and outputs stay float32 in host mode."""
    try:
        import onnx
        from onnxruntime.transformers import float16
    except ImportError as error:
        raise Unsupported(f"converting to fp16 needs the package onnx beside onnxruntime: {error}") from error
    model = onnx.load(opening.path)
    halved = float16.convert_float_to_float16(
        model, keep_io_types=opening.mode != "device", disable_shape_infer=False
    )
    halved.metadata_props.add(key="inferometer.precision", value="fp16")
    data: bytes = halved.SerializeToString()
    return data


def is_half(session: Any) -> bool:
    """Return whether a session was made from a file that `halved` converted."""
    kept: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return kept.get("inferometer.precision") == "fp16"


def widened(arrays: Outputs) -> Outputs:
    """Return outputs with float16 as float32."""
    return [array.astype(np.float32) if array.dtype == np.float16 else array for array in arrays]
