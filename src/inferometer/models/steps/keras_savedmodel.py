"""Environment `tf`: a Keras file as a TensorFlow SavedModel with one signature, read back and run.

Request as in `models.conversions`. The signature `serving_default` takes each input by its name and gives output_0, output_1, ... in order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import kerasfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the output specs; the SavedModel lies in ``out``/saved, its outputs in ``out``/check.npz."""
    keras = kerasfile.start("tensorflow")
    import tensorflow as tf

    specs, out = request["specs"], Path(request["out"])
    model = kerasfile.load(request["model"], request["trust"])
    _save(tf, model, specs, str(out / "saved"))
    signature = tf.saved_model.load(str(out / "saved")).signatures["serving_default"]
    arrays = tensors.rows_of(request)
    names = [f"output_{index}" for index in range(len(signature.structured_outputs))]

    def call(batch: list[Any]) -> list[Any]:
        given = zip(specs, batch, strict=True)
        answer = signature(**{spec["name"]: tf.constant(array) for spec, array in given})
        return [answer[name].numpy() for name in names]

    outputs = tensors.run_in_chunks(call, arrays, tensors.batch_of(specs))
    tensors.write_check(out, outputs)
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, tensors.batch_of(specs)),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def _save(tf: Any, model: Any, specs: list[tensors.Spec], path: str) -> None:
    call = kerasfile.caller(model)
    module = tf.Module()
    module.model = model  # tracked, so that the variables are saved

    def serve(*inputs: Any) -> dict[str, Any]:
        return {f"output_{index}": output for index, output in enumerate(call(inputs))}

    signature = [tf.TensorSpec(spec["shape"], spec["dtype"], name=spec["name"]) for spec in specs]
    module.serve = tf.function(serve, input_signature=signature, autograph=False)
    tf.saved_model.save(module, path, signatures={"serving_default": module.serve})
