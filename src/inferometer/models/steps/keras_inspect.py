"""Environment `tf`: what a Keras file takes.

Request: file (path), trust, shapes (INPUT.AXIS -> size).
"""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import kerasfile


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the input specs."""
    kerasfile.start("tensorflow")
    return {
        "inputs": kerasfile.input_specs(kerasfile.load(request["file"], request["trust"]), request["shapes"])
    }
