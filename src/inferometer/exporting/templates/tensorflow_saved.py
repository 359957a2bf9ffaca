"""A SavedModel under tf.function."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, main
from inferometer.exporting.templates.tensorflow_host import Host

ARTIFACT = "saved"
INPUTS: list[str] = []
OUTPUTS: list[str] = []
XLA = False


class Model:
    """The signature in a function of its own, which is traced for each batch size."""

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        import tensorflow as tf

        self._tf, self._host = tf, Host(tf)
        with tf.device(Host.PLACE):
            self._loaded = tf.saved_model.load(str(HERE / ARTIFACT))
        signature = self._loaded.signatures["serving_default"]

        def infer(*tensors: Any) -> Any:
            results = signature(**dict(zip(INPUTS, tensors)))
            return [results[name] for name in OUTPUTS or signature.structured_outputs]

        self._infer = tf.function(infer, jit_compile=XLA or None, autograph=False)

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        with self._tf.device(Host.PLACE):
            return [np.asarray(value) for value in self._infer(*self._host.send(batch))]


if __name__ == "__main__":
    main(Model)
