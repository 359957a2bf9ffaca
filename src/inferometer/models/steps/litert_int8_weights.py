"""Environment `tf`: a SavedModel with its weights quantised for LiteRT by TensorFlow's converter (`litert_int8`).

Its hybrid operators, convolutions among them, round the values to int8 batch by batch, row by row: nothing is calibrated.
"""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import litert_int8


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return what `litert_int8` says; the quantised model lies in ``out``/model.tflite."""
    return litert_int8.quantise(request, ranges=False)
