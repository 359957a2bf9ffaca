"""Environment `tf`: what a Keras model takes, and how large it is.

Request: application, file, weights, weights_file, seed, trust, shapes, ranges and inputs as of `keras_source`.
"""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import checks, keras_source, kerasfile


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the input specs, `parameters`, `macs` and the model's own precision."""
    keras = kerasfile.start("tensorflow")
    model = keras_source.built(keras, request)
    specs = kerasfile.input_specs(model, request["shapes"])
    checks.rows_of(request, specs, {})  # which raises where they do not fit
    return {"inputs": specs, **keras_source.size(model, specs), **keras_source.stored(model)}
