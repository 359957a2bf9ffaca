"""Keras models inside a step: choosing the backend, loading files safely, inputs and outputs in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inferometer.models.steps import dimensions, refusals, tensors
from inferometer.models.steps.refusals import refusing


def start(backend: str) -> Any:
    """Import Keras on ``backend`` ("tensorflow" or "torch"), on the CPU only, and return it."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # references and conversions are made on the CPU
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    if keras.backend.backend() != backend:
        raise RuntimeError(f"Keras runs on {keras.backend.backend()}, this step needs {backend}")
    return keras


def load(path: str, trust: bool) -> Any:
    """Load a `.keras` file; ValueError (one line) if it is none, or runs code of its own without ``trust``."""
    import keras

    name = Path(path).name
    if Path(path).suffix.lower() in (".h5", ".hdf5"):
        _check_hdf5(path, trust)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:  # Keras raises many kinds for damaged files
        text = str(error)
        if "safe_mode" in text or "Lambda" in text:
            raise ValueError(
                f"{name} has a Lambda layer, which runs code from the file; give --trust-model if you trust it"
            ) from error
        raise ValueError(f"cannot load {name} as a Keras model: {refusals.line(error)}") from error


def _check_hdf5(path: str, trust: bool) -> None:
    """Raise ValueError for a file of weights alone, and for a Lambda layer without ``trust``: Keras would run its code."""
    import h5py

    name = Path(path).name
    try:
        with h5py.File(path) as file:
            config = str(file.attrs.get("model_config", ""))
    except Exception as error:  # h5py has a kind for each thing that may be damaged
        raise ValueError(f"{name} is no HDF5 file: {' '.join(str(error).split())[:200]}") from error
    if not config:
        raise ValueError(
            f"{name} holds weights without a model; save the whole model, or give --weights {name} with its name"
        )
    if not trust and '"Lambda"' in config:
        raise ValueError(
            f"{name} has a Lambda layer, which runs code from the file; give --trust-model if you trust it"
        )


def input_specs(model: Any, shapes: dict[str, int]) -> list[tensors.Spec]:
    """Return the inputs of a built model with every dimension but the batch known."""
    inputs = model_inputs(model)
    names = tensors.safe_names(tensor.name for tensor in inputs)
    specs = [{"name": name, "dtype": str(tensor.dtype)} for name, tensor in zip(names, inputs, strict=True)]
    return dimensions.bind(specs, [list(tensor.shape) for tensor in inputs], shapes)


def model_inputs(model: Any) -> list[Any]:
    """Return a model's symbolic inputs in Keras' order; ValueError for a model that has none (a bare subclass)."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError(
            "the Keras model declares no inputs (a subclassed model); save it as a functional model"
        )
    return list(inputs)


def caller(model: Any) -> Any:
    """Return ``f(list of tensors) -> list of tensors``, whatever structure the model takes and gives.

    It raises ValueError (one line) for a model that cannot be called.
    """
    import keras

    structure = getattr(model, "_inputs_struct", None)

    def call(tensors_in: Sequence[Any]) -> list[Any]:
        flat = list(tensors_in)
        packed = keras.tree.pack_sequence_as(structure, flat) if structure is not None else flat[0]
        with refusing("the Keras model cannot be called"):
            return list(keras.tree.flatten(model(packed, training=False)))

    return call


def table_sizes(model: Any, specs: Sequence[tensors.Spec]) -> dict[str, int]:
    """Return for each input that goes straight into an Embedding the number of its rows."""
    import keras

    names = {id(tensor): spec["name"] for tensor, spec in zip(model_inputs(model), specs, strict=True)}
    sizes: dict[str, int] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding):
            for node in layer._inbound_nodes:
                for tensor in node.input_tensors:
                    if id(tensor) in names:
                        name = names[id(tensor)]
                        sizes[name] = min(sizes.get(name, layer.input_dim), layer.input_dim)
    return sizes


def weights_hash(model: Any, drawn_by: str = "") -> str:
    """Return a SHA-256 over every weight, by name and shape: the same in every process and on every backend.

    ``drawn_by``: what random weights were drawn by, which stands for their values: processors round calibrated ones differently.
    """
    import hashlib

    import numpy as np

    digest = hashlib.sha256(drawn_by.encode())
    for weight in model.weights:
        array = np.ascontiguousarray(weight.numpy() if hasattr(weight, "numpy") else weight)
        digest.update(f"{weight.path}|{array.dtype}|{array.shape}\n".encode())
        digest.update(b"" if drawn_by else array.tobytes())
    return digest.hexdigest()
