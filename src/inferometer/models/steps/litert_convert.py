"""Environment `tf`: a SavedModel as a LiteRT flatbuffer, fp32, without optimisations that change numbers.

Request as in `models.conversions`; `litert_outputs` runs what is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the flatbuffer lies in ``out``/model.tflite."""
    import tensorflow as tf

    loaded = tf.saved_model.load(request["model"])
    # by its function, which freezes the variables; by its path they would stay resources that nothing initialises
    function = loaded.signatures["serving_default"]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], loaded)
    (Path(request["out"]) / "model.tflite").write_bytes(converter.convert())
    return {"versions": {"tensorflow": tf.__version__}}
