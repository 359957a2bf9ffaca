"""SavedModels inside a step: saved with one signature, and its outputs computed. TensorFlow is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from inferometer.models.steps import tensors

SIGNATURE = "serving_default"


def save(tf: Any, tracked: Any, call: Callable[..., Any], specs: Sequence[tensors.Spec], path: str) -> None:
    """Save ``call``, which takes the inputs in order and gives a sequence of outputs, with the variables of ``tracked``.

    The signature takes each input by its name and gives output_0, output_1, ... in order.
    """
    module = tf.Module()
    module.tracked = tracked  # so that the variables are saved

    def serve(*inputs: Any) -> dict[str, Any]:
        return tensors.numbered(call(*inputs))

    signature = [tf.TensorSpec(spec["shape"], spec["dtype"], name=spec["name"]) for spec in specs]
    module.serve = tf.function(serve, input_signature=signature, autograph=False)
    tf.saved_model.save(module, path, signatures={SIGNATURE: module.serve})


def caller(signature: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Callable[..., list[Any]]:
    """Return a function from tensors in the order of ``inputs`` to tensors in the order of ``outputs``."""

    def call(*given: Any) -> list[Any]:
        answer = signature(**dict(zip(inputs, given, strict=True)))
        return [answer[name] for name in outputs]

    return call


def run(tf: Any, call: Callable[..., Any], arrays: Sequence[Any], batch: int | None) -> list[Any]:
    """Return the outputs of all rows, ``batch`` (or a chunk) at a time."""
    return tensors.run_in_chunks(
        lambda rows: [output.numpy() for output in call(*(tf.constant(row) for row in rows))], arrays, batch
    )


def run_saved(tf: Any, path: str, specs: Sequence[tensors.Spec], arrays: Sequence[Any]) -> list[Any]:
    """Return the outputs of a model that `save` saved, read back."""
    signature = tf.saved_model.load(path).signatures[SIGNATURE]
    names = list(tensors.numbered(signature.structured_outputs))
    call = caller(signature, [spec["name"] for spec in specs], names)
    return run(tf, call, arrays, tensors.batch_of(specs))
