"""JAX: a Keras model on Keras' JAX backend, compiled ahead of time for each batch shape."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.failures import Unsupported
from inferometer.worker.threads import limit_affinity


class Runtime(Backend):
    """`jit` of the model's stateless call; weights are arguments, so that they are not folded into the executable."""

    def __init__(self, opening: Opening) -> None:
        if opening.precision not in ("fp32", "tf32"):
            raise Unsupported(
                f"keras on jax runs the artifact as it is, in fp32; {opening.precision} needs an artifact of its own"
            )
        if opening.precision == "tf32" and opening.device == "cpu":
            raise Unsupported("tf32 exists on NVIDIA GPUs only")
        self._threads = limit_affinity(
            opening.threads
        )  # XLA's CPU client sizes its pool by the CPUs it may use
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["JAX_PLATFORMS"] = "cuda" if opening.device == "cuda" else "cpu"
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax
        import keras

        self._jax, self._keras = jax, keras
        self._opening = opening
        jax.config.update(
            "jax_default_matmul_precision", "tensorfloat32" if opening.precision == "tf32" else "highest"
        )
        model = keras.models.load_model(
            opening.path, compile=False, safe_mode=not opening.options.get("trust")
        )
        single = len(model.inputs) == 1
        self._weights = (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
        )

        def infer(trainable: Any, frozen: Any, *inputs: Any) -> Any:
            outputs, _ = model.stateless_call(
                trainable, frozen, inputs[0] if single else list(inputs), training=False
            )
            return outputs

        self._infer = jax.jit(infer)
        self._compiled: dict[int, Any] = {}
        self._last: Any = None

    def prepare(self, batch: Batch) -> None:
        """Lower and compile for this shape, then run once."""
        self._compiled[len(batch[0])] = self._infer.lower(*self._weights, *batch).compile()
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self.fetch(self.run_resident(batch))

    def place(self, batch: Batch) -> Any:
        """Return the batch as arrays on the device."""
        return [self._jax.device_put(array).block_until_ready() for array in batch]

    def run_resident(self, placed: Any) -> Any:
        """Return output arrays, not yet awaited."""
        self._last = self._compiled[len(placed[0])](*self._weights, *placed)
        return self._last

    def synchronise(self) -> None:
        """Wait for the last output: one stream runs everything in order."""
        self._jax.block_until_ready(self._last)

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy."""
        return [np.asarray(value) for value in self._jax.tree_util.tree_leaves(resident)]

    def actual(self) -> dict[str, Any]:
        """Read back the output's device and type, and the matmul precision."""
        array = self._jax.tree_util.tree_leaves(self._last)[0]
        platform = next(iter(array.devices())).platform
        tf32 = platform == "gpu" and self._jax.config.jax_default_matmul_precision == "tensorfloat32"
        return {
            "device": "cuda" if platform == "gpu" else platform,
            "precision": "tf32"
            if tf32
            else {"float16": "fp16", "bfloat16": "bf16"}.get(array.dtype.name, "fp32"),
            "threads": self._threads,
            "version": self._jax.__version__,
            "versions": {
                "jax": self._jax.__version__,
                "keras": self._keras.__version__,
                "numpy": np.__version__,
            },
            "details": {"output_device": str(next(iter(array.devices())))},
        }

    def device_peak_bytes(self) -> int | None:
        """Return the allocator's peak."""
        if self._opening.device != "cuda":
            return None
        statistics = self._jax.devices()[0].memory_stats() or {}
        peak = statistics.get("peak_bytes_in_use")
        return int(peak) if peak is not None else None
