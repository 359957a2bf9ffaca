"""JAX: a Keras model on Keras' JAX backend, or an exported function, compiled ahead of time for each batch shape."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Opening, Outputs, Pipeline
from inferometer.worker.backends.parts import jax_models, keras_precision
from inferometer.worker.backends.parts.integers import Integers
from inferometer.worker.backends.parts.jax_pipeline import PiecewisePipeline
from inferometer.worker.backends.parts.jax_transfer import Pieces, Piecewise, Whole
from inferometer.worker.backends.parts.pipeline_depth import pipeline_depth
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag, flag
from inferometer.worker.system.threads import limit_affinity


class Runtime(Backend):
    """`jit` of the model's call (`parts.jax_models`).

    To a GPU batches go in pieces, which XLA copies side by side; `naive` sends them whole.
    """

    def __init__(self, opening: Opening) -> None:
        if opening.precision not in keras_precision.POLICIES:
            raise Unsupported(
                f"keras on jax is driven in {', '.join(keras_precision.POLICIES)}, not {opening.precision}"
            )
        if opening.precision == "tf32" and opening.device == "cpu":
            raise Unsupported("tf32 exists on NVIDIA GPUs only")
        # XLA's CPU client sizes its pool by the CPUs it may use
        self._threads = limit_affinity(opening.threads) if opening.device == "cpu" else opening.threads
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["JAX_PLATFORMS"] = "cuda" if opening.device == "cuda" else "cpu"
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax

        self._jax = jax
        self._opening = opening
        # the default precision of dot products and of convolutions alike
        jax.config.update("jax_default_matmul_precision", MATMUL[opening.precision])
        self._device = _device_of(jax, opening)
        self._host = self._host_path()
        self._model = jax_models.load(jax, opening)
        self._infer = jax.jit(self._model.call)
        self._compiled: dict[int, Any] = {}
        self._last: Any = None

    def _host_path(self) -> Whole:
        if self._opening.device == "cpu" or self._opening.options.get("naive"):
            return Whole(self._jax, self._device)
        return Piecewise(self._jax, self._device, self._threads)

    def prepare(self, batch: Batch) -> None:
        """Lower and compile for this shape and the type that this mode feeds, then run once."""
        feed = self.place(batch) if self._opening.mode == "device" else batch
        self._compiled[len(batch[0])] = self._infer.lower(*self._model.weights, *feed).compile()
        if self._opening.mode == "device":
            self.run_resident(feed)
            self.synchronise()
        else:
            self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self.fetch(self.run_resident(self._host.send(batch)))

    def place(self, batch: Batch) -> Any:
        """Return the batch as arrays on the device, in the type that the model takes."""
        arrays = [
            array.astype(kind) if array.dtype.kind == "f" else array
            for array, kind in zip(self._jax.device_put(batch, self._device), self._model.kinds)
        ]
        return self._jax.block_until_ready(arrays)

    def run_resident(self, placed: Any) -> Any:
        """Return output arrays, not yet awaited."""
        self._last = self._compiled[len(placed[0])](*self._model.weights, *placed)
        return self._last

    def pipeline(self, batch: Batch) -> Pipeline:
        """Return a pipeline of uint8 pieces, which are joined and cast on the device."""
        sender = Piecewise(self._jax, self._device, self._threads)
        return PiecewisePipeline(sender, self.infer_pieces(), pipeline_depth(batch))

    def infer_pieces(self) -> Callable[[Pieces], list[Any]]:
        """Return a function of uint8 `Pieces`, compiled at its first call, that returns output arrays, not yet awaited."""
        jax, model = self._jax, self._model

        def joined(weights: Any, pieces: Pieces) -> list[Any]:
            inputs = [jax.numpy.concatenate(rows).astype(kind) for rows, kind in zip(pieces, model.kinds)]
            return [_widened(leaf) for leaf in jax.tree_util.tree_leaves(self._infer(*weights, *inputs))]

        compiled: Any = None

        def infer(pieces: Pieces) -> list[Any]:
            nonlocal compiled
            compiled = compiled or jax.jit(joined).lower(model.weights, pieces).compile()
            self._last = compiled(model.weights, pieces)
            return list(self._last)

        return infer

    def synchronise(self) -> None:
        """Wait for the last output: one stream runs everything in order."""
        self._jax.block_until_ready(self._last)

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy; half precisions become float32 where they lie."""
        return [np.asarray(_widened(value)) for value in self._jax.tree_util.tree_leaves(resident)]

    def phases(self, batch: Batch) -> dict[str, float]:
        """Return phases by host timers."""
        put = self.place if self._opening.mode == "device" else self._host.send
        return phases.timed(
            lambda: self._jax.block_until_ready(put(batch)), self.run_resident, self.synchronise, self.fetch
        )

    def actual(self) -> dict[str, Any]:
        """Read back the output's device and type, and the matmul precision."""
        array = self._jax.tree_util.tree_leaves(self._last)[0]
        platform = next(iter(array.devices())).platform
        tf32 = platform == "gpu" and self._jax.config.jax_default_matmul_precision == "tensorfloat32"
        return {
            "device": "cuda" if platform == "gpu" else platform,
            "precision": self._model.precision_of(tf32),
            "threads": self._threads,
            "version": self._jax.__version__,
            "versions": {
                "jax": self._jax.__version__,
                **self._model.versions,
                "numpy": np.__version__,
            },
            "details": {
                "output_device": str(next(iter(array.devices()))),
                "output_type": array.dtype.name,
                "weights_on": self._weights_on(),
                "computes_in": self._model.computed_in(),
                "matmul_precision": str(self._jax.config.jax_default_matmul_precision),
            },
        }

    def _weights_on(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for weight in itertools.chain.from_iterable(self._model.weights):
            name = str(next(iter(weight.devices())))
            counts[name] = counts.get(name, 0) + 1
        return counts

    def flags(self) -> list[Flag]:
        """Say which weights lie elsewhere than on the device, and how much of a quantised model runs in float."""
        away = [
            flag("weights-elsewhere", count=count, device=name)
            for name, count in self._weights_on().items()
            if name != str(self._device)
        ]
        if self._opening.form != "jaxexport":
            return away
        return [*away, *Integers(Counter(self._model.computed_in())).flags(self._opening.quantised)]

    def release(self) -> None:
        """Drop the last outputs and the executables of other shapes."""
        self._last = None
        self._compiled.clear()

    def device_peak_bytes(self) -> int | None:
        """Return the allocator's peak."""
        if self._opening.device != "cuda":
            return None
        statistics = (
            self._device.memory_stats() or {}
        )  # the peak cannot be reset: it covers smaller batches too
        peak = statistics.get("peak_bytes_in_use")
        return int(peak) if peak is not None else None


MATMUL = {"fp32": "highest", "tf32": "tensorfloat32", "fp16": "default", "bf16": "default"}


def _widened(value: Any) -> Any:
    return value.astype("float32") if value.dtype.name in ("float16", "bfloat16") else value


def _device_of(jax: Any, opening: Opening) -> Any:
    try:
        return jax.devices()[0]
    except RuntimeError as error:
        text = " ".join(str(error).split())[:200]
        raise Unsupported(f"jax {jax.__version__} has no device for {opening.device}: {text}") from error
