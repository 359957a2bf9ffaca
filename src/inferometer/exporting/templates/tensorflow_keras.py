"""A Keras model on TensorFlow, on the CPU."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.keras"
XLA = False
FUNCTION = False  # under tf.function, else called eagerly
PREDICT = False  # by model.predict_on_batch
SHARED = False  # tensors over numpy's own memory, by DLPack
TRUST = False  # code in the file may run


class Model:
    """The model's own call; where it is a function, it is traced for each batch size."""

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._tf = tf
        with tf.device("/CPU:0"):
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

    def _tensor(self, array: Any) -> Any:
        aligned = array.ctypes.data % 64 == 0 and array.flags.c_contiguous and array.flags.writeable
        if SHARED and aligned and array.dtype.kind in "fiu":
            return self._tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return self._tf.convert_to_tensor(array)

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        with self._tf.device("/CPU:0"):
            outputs = flat(self._infer(*map(self._tensor, batch)))
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
