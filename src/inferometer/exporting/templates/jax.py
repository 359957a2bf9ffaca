"""A function that JAX exported, on JAX."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.exporting.templates.jax_host import sent, set_up
from inferometer.exporting.templates.shared import HERE, main

ARTIFACT = "jaxexport"


class Model:
    """The function, compiled for each batch size."""

    def __init__(self) -> None:
        set_up()
        import jax
        import jax.export

        jax.config.update("jax_default_matmul_precision", "highest")
        self._jax = jax
        function = jax.export.deserialize(bytearray((HERE / ARTIFACT / "function.bin").read_bytes()))
        with np.load(HERE / ARTIFACT / "weights.npz") as file:
            self._weights = jax.device_put([file[name] for name in sorted(file.files)])
        self._infer = jax.jit(function.call)
        self._device, self._compiled = jax.devices()[0], dict[int, Any]()
        self._join = jax.jit(jax.numpy.concatenate)

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        jax, size = self._jax, len(batch[0])
        if size not in self._compiled:
            self._compiled[size] = self._infer.lower(self._weights, *batch).compile()
        given = sent(jax, batch, self._device, self._join)
        outputs = jax.tree_util.tree_leaves(self._compiled[size](self._weights, *given))
        halves = [value.dtype.name in ("float16", "bfloat16") for value in outputs]
        return [np.asarray(o.astype("float32") if half else o) for o, half in zip(outputs, halves)]


if __name__ == "__main__":
    main(Model)
