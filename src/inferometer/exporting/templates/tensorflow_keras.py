"""A Keras model on TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, main
from inferometer.exporting.templates.tensorflow_host import Host

ARTIFACT = "model.keras"
XLA = False
FUNCTION = False  # under tf.function, else called eagerly
PREDICT = False  # by model.predict_on_batch
TRUST = False  # code in the file may run


class Model:
    """The model's own call; where it is a function, it is traced for each batch size."""

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras
        import tensorflow as tf

        self._tf, self._host = tf, Host(tf)
        with tf.device(Host.PLACE):
            model = keras.models.load_model(HERE / ARTIFACT, compile=False, safe_mode=not TRUST)
        structure = getattr(model, "_inputs_struct", None)  # a Sequential model has none

        def packed(tensors: Any) -> Any:
            if structure is None:
                return tensors[0] if len(tensors) == 1 else list(tensors)
            return keras.tree.pack_sequence_as(structure, list(tensors))

        def infer(*tensors: Any) -> Any:
            return model(packed(tensors), training=False)

        if XLA or FUNCTION:
            self._infer = tf.function(infer, jit_compile=XLA or None, autograph=False)
        else:
            self._infer = (lambda *tensors: model.predict_on_batch(packed(tensors))) if PREDICT else infer

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        with self._tf.device(Host.PLACE):
            outputs = flat(self._infer(*self._host.send(batch)))
            halves = [value.dtype in ("float16", "bfloat16") for value in outputs]
            wide = [
                self._tf.cast(value, "float32") if half else value for value, half in zip(outputs, halves)
            ]
        return [np.asarray(value) for value in wide]


def flat(value: Any) -> list[Any]:
    """Return the outputs in a row, those of a dictionary by name."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flat(value[key])]
    return list(value) if isinstance(value, (list, tuple)) else [value]


if __name__ == "__main__":
    main(Model)
