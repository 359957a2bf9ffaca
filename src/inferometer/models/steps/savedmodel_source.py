"""Environment `tf`: the user's own SavedModel, with rows and its signature's outputs as reference.

Request: file (the folder), shapes, ranges, seed, trust, inputs (.npz or None), more (.npz of rows for checks only, or None), out
(directory: saved/ with every dimension but the batch known, inputs.npz, reference.npz, check.npz and what `checks` writes).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inferometer.models.steps import (
    checks,
    dimensions,
    drawn,
    savedmodel_guard,
    savedmodel_slots,
    tensors,
    tf_saving,
    tf_size,
)
from inferometer.models.steps.refusals import refusing


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs and versions; the files lie in ``out``."""
    tf = start()
    with tempfile.TemporaryDirectory() as scratch:
        return _run(tf, request, Path(scratch))


def _run(tf: Any, request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    loaded, call, specs = opened(tf, request, scratch)
    out, batch = Path(request["out"]), tensors.batch_of(specs)
    arrays = checks.rows_of(request, specs, {})
    tf_saving.save(tf, loaded, call, specs, str(out / "saved"))
    compute = _computing(tf, call, batch, Path(request["file"]).name)
    outputs = compute(arrays, None)
    again = tf_saving.run_saved(tf, str(out / "saved"), specs, list(arrays.values()))
    tensors.write_rows(out, arrays, outputs, again)
    ways = _ways(tf, loaded.signatures[tf_saving.SIGNATURE], compute)
    made = checks.Reference(arrays, outputs, compute, batch, checks.more_of(request, specs, {}), ways)
    return {
        "checks": made.write(out),
        "drawn": drawn.words(request, specs, {}),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, batch=batch),
        **tf_size.size(tf, call, specs),
        "versions": {"tensorflow": tf.__version__},
    }


def start() -> Any:
    """Import TensorFlow on the CPU, and return it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    return tf


def opened(tf: Any, request: dict[str, Any], scratch: Path) -> tuple[Any, Any, list[tensors.Spec]]:
    """Return what was loaded, its signature as a function of tensors in order, and its inputs."""
    name = Path(request["file"]).name
    if not request["trust"]:
        savedmodel_guard.check(Path(request["file"]))
    with refusing(f"{name} cannot be loaded as a SavedModel"):
        folder = savedmodel_slots.without_slots(Path(request["file"]), scratch)
        loaded = tf.saved_model.load(str(folder))
        signatures = dict(loaded.signatures)
    signature = signatures.get(tf_saving.SIGNATURE)
    if signature is None:
        known = ", ".join(signatures) or "none"
        raise ValueError(f"{name} has no signature serving_default (it has {known}); save it with one")
    with refusing(f"{name} has a signature that cannot be read"):
        own, outputs = signature.structured_input_signature[1], sorted(signature.structured_outputs)
        types = {key: (tensor.dtype.name, tensor.shape) for key, tensor in own.items()}
    return loaded, tf_saving.caller(signature, list(own), outputs), _specs(types, request["shapes"])


def _specs(types: dict[str, tuple[str, Any]], shapes: dict[str, int]) -> list[tensors.Spec]:
    names = tensors.safe_names(types)
    specs = [{"name": name, "dtype": dtype} for name, (dtype, _) in zip(names, types.values())]
    unknown = next((name for name, (_, shape) in types.items() if shape.rank is None), "")
    if unknown:
        raise ValueError(f"input '{unknown}' has no shape; save the model with one")
    return dimensions.bind(specs, [shape.as_list() for _, shape in types.values()], shapes)


def _computing(tf: Any, call: Any, batch: int | None, name: str) -> checks.Compute:
    def compute(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        with refusing(f"{name} cannot be run"):
            return tf_saving.run(tf, call, list(arrays.values()), batch or chunk)

    return compute


def _ways(tf: Any, signature: Any, compute: checks.Compute) -> dict[str, checks.Compute]:
    """Return other ways to the reference: graphs as they are, and with weights and inputs moved, which are put back."""

    def plain(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        try:
            return compute(arrays, chunk)
        finally:
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})

    def moving(bits: int) -> checks.Compute:
        def moved(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
            with _moved_weights(tf, signature, bits):
                return compute(checks.moved_rows(arrays, bits), chunk)

        return moved

    return {"optimised": plain, **{kind: moving(bits) for kind, bits in checks.BITS.items()}}


@contextlib.contextmanager
def _moved_weights(tf: Any, signature: Any, bits: int) -> Iterator[None]:
    """Move a signature's variables, and the constants of two axes and more that it captured: they are weights too."""
    variables, constants = list(signature.variables), list(signature.captured_inputs)
    kept = [variable.numpy() for variable in variables]
    try:
        for place, (variable, value) in enumerate(zip(variables, kept)):
            variable.assign(checks.moved(value, bits, place))
        signature.set_external_captures(
            [_moved_constant(tf, item, bits, len(kept) + place) for place, item in enumerate(constants)]
        )
        yield
    finally:
        signature.set_external_captures(constants)
        for variable, value in zip(variables, kept):
            variable.assign(value)


def _moved_constant(tf: Any, captured: Any, bits: int, place: int) -> Any:
    if not captured.dtype.is_floating or captured.shape.rank < 2:
        return captured
    return tf.constant(checks.moved(captured.numpy(), bits, place))
