"""A Keras model on JAX."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.exporting.templates.jax_host import sent, set_up
from inferometer.exporting.templates.shared import HERE, main

ARTIFACT = "model.keras"
PRODUCTS = "highest"  # precision of matrix products
TRUST = False  # code in the file may run


class Model:
    """The model's stateless call, compiled for each batch size; weights are arguments, so that none is folded."""

    def __init__(self) -> None:
        set_up()
        os.environ["KERAS_BACKEND"] = "jax"
        import jax

        jax.config.update("jax_default_matmul_precision", PRODUCTS)
        import keras

        model = keras.models.load_model(HERE / ARTIFACT, compile=False, safe_mode=not TRUST)
        structure = getattr(model, "_inputs_struct", None)  # a Sequential model has none

        def infer(trainable: Any, frozen: Any, *tensors: Any) -> Any:
            given = tensors[0] if len(tensors) == 1 else list(tensors)
            given = keras.tree.pack_sequence_as(structure, list(tensors)) if structure is not None else given
            return model.stateless_call(trainable, frozen, given, training=False)[0]

        variables = (model.trainable_variables, model.non_trainable_variables)
        self._weights = [[variable.value for variable in each] for each in variables]
        self._jax, self._infer = jax, jax.jit(infer)
        self._device, self._compiled = jax.devices()[0], dict[int, Any]()
        self._join = jax.jit(jax.numpy.concatenate)

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        jax, size = self._jax, len(batch[0])
        if size not in self._compiled:
            self._compiled[size] = self._infer.lower(*self._weights, *batch).compile()
        given = sent(jax, batch, self._device, self._join)
        outputs = jax.tree_util.tree_leaves(self._compiled[size](*self._weights, *given))
        halves = [value.dtype.name in ("float16", "bfloat16") for value in outputs]
        return [np.asarray(o.astype("float32") if half else o) for o, half in zip(outputs, halves)]


if __name__ == "__main__":
    main(Model)
