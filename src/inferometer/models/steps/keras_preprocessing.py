"""Environment `tf`: how pixels become the input of an architecture of keras.applications, found by asking its `preprocess_input`.

Request: module (of keras.applications). Answers `own`: fields of `models.datasets.preprocessing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.models.steps import kerasfile

_SIDE = 2


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return order, scale, mean and deviation; ValueError (one line) where it is nothing of that kind."""
    keras = kerasfile.start("tensorflow")
    ask = getattr(keras.applications, request["module"]).preprocess_input

    def asked(pixels: Any) -> Any:
        return np.asarray(ask(np.array(pixels, np.float32)), np.float64)

    black = asked(np.zeros((1, _SIDE, _SIDE, 3)))[0, 0, 0]
    rises = []
    for channel in range(3):
        pixels = np.zeros((1, _SIDE, _SIDE, 3))
        pixels[..., channel] = 255
        rises.append(asked(pixels)[0, 0, 0] - black)
    found = _fields(np.array(rises), black)
    random = np.random.default_rng(0).integers(0, 256, (1, _SIDE, _SIDE, 3)).astype(np.float64)
    turned = random[..., ::-1] if found["order"] == "BGR" else random
    if not np.allclose(
        (turned * found["scale"] - found["mean"]) / found["std"], asked(random), rtol=1e-4, atol=1e-4
    ):
        raise ValueError(f"preprocess_input of {request['module']} is no scale and shift of each channel")
    return {"own": found}


def _fields(rises: Any, black: Any) -> dict[str, Any]:
    """Return the fields, of what each output rises by where a channel goes from 0 to 255, and of black."""
    order = "RGB" if abs(rises[0, 0]) >= abs(rises[0, 2]) else "BGR"
    rise = np.array([rises[c, c] if order == "RGB" else rises[2 - c, c] for c in range(3)]) / 255
    if np.allclose(rise, rise[0], rtol=1e-5):
        scale, std = float(rise[0]), np.ones(3)
    else:
        scale, std = 1 / 255, (1 / 255) / rise
    return {
        "order": order,
        "scale": float(f"{scale:.7g}"),
        "mean": [float(f"{value:.7g}") for value in -black * std],
        "std": [float(f"{value:.7g}") for value in std],
    }
