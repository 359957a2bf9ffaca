"""What JAX runs: a Keras model on Keras' JAX backend, or a function that JAX exported, with its weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backend import Opening
from inferometer.worker.backends.parts import keras_file, keras_precision
from inferometer.worker.backends.parts.keras_inputs import packer

_PRODUCT = re.compile(r"stablehlo\.(?:dot_general|convolution)\b.*-> tensor<(?:[\dx?]*x)?(\w+)>")
_PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}


@dataclass(frozen=True)
class JaxModel:
    """``call(*weights, *inputs)`` gives the outputs."""

    call: Any
    weights: tuple[list[Any], ...]
    kinds: list[Any]  # the inputs' types, in order
    computed_in: Callable[[], dict[str, Any]]  # what its products are computed in, counted
    precision_of: Callable[[bool], str]  # whether tf32 is on -> precision
    versions: dict[str, str]


def load(jax: Any, opening: Opening) -> JaxModel:
    """Return the model of an artifact; JAX is configured already."""
    return _exported(jax, opening) if opening.form == "jaxexport" else _keras(opening)


def _exported(jax: Any, opening: Opening) -> JaxModel:
    """Return a function that JAX exported: its own types say what it computes in."""
    function = jax.export.deserialize(bytearray((opening.path / "function.bin").read_bytes()))
    weights = _weights(opening.path)
    counts = dict(Counter(_PRODUCT.findall(function.mlir_module())))
    kinds = [value.dtype for value in function.in_avals[len(weights) :]]
    told = sorted({_PRECISIONS.get(str(kind), str(kind)) for kind in counts})
    return JaxModel(
        function.call,
        (jax.device_put(weights),),
        kinds,
        computed_in=lambda: counts,
        precision_of=lambda tf32: " and ".join(told) or opening.precision,
        versions={},
    )


def _weights(path: Path) -> list[Any]:
    with np.load(path / "weights.npz", allow_pickle=False) as file:
        return [file[name] for name in sorted(file.files)]


def _keras(opening: Opening) -> JaxModel:
    """Return a Keras model's stateless call; weights are arguments, so that they are not folded into the executable."""
    import keras

    model = keras_file.load(keras, opening.path, opening.precision, bool(opening.options.get("trust")))
    pack = packer(keras, model)

    def infer(trainable: Any, frozen: Any, *inputs: Any) -> Any:
        outputs, _ = model.stateless_call(trainable, frozen, pack(inputs), training=False)
        return outputs

    weights = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    return JaxModel(
        infer,
        weights,
        [value.dtype for value in model.inputs],
        computed_in=lambda: keras_precision.computed_in(model),
        precision_of=lambda tf32: keras_precision.precision_of(model, tf32),
        versions={"keras": keras.__version__},
    )
