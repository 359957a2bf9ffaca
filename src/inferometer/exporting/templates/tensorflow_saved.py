"""A SavedModel under tf.function on the CPU."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "saved"
INPUTS: list[str] = []
OUTPUTS: list[str] = []
XLA = False
SHARED = True  # tensors over numpy's own memory, by DLPack


class Model:
    """The signature in a function of its own, which is traced for each batch size."""

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._tf = tf
        with tf.device("/CPU:0"):
            self._loaded = tf.saved_model.load(str(HERE / ARTIFACT))
        signature = self._loaded.signatures["serving_default"]

        def infer(*tensors: Any) -> Any:
            results = signature(**dict(zip(INPUTS, tensors)))
            return [results[name] for name in OUTPUTS or signature.structured_outputs]

        self._infer = tf.function(infer, jit_compile=XLA or None, autograph=False)

    def _tensor(self, array: Any) -> Any:
        aligned = array.ctypes.data % 64 == 0 and array.flags.c_contiguous and array.flags.writeable
        if SHARED and aligned and array.dtype.kind in "fiu":
            return self._tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return self._tf.convert_to_tensor(array)

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        with self._tf.device("/CPU:0"):
            return [np.asarray(value) for value in self._infer(*map(self._tensor, batch))]


if __name__ == "__main__":
    main(Model)
