"""Environment `tf`: a Keras file as a TensorFlow SavedModel with one signature, read back and run.

Request as in `models.conversions`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import kerasfile, tensors, tf_saving


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the output specs; the SavedModel lies in ``out``/saved, its outputs in ``out``/check.npz."""
    keras = kerasfile.start("tensorflow")
    import tensorflow as tf

    specs, out = request["specs"], Path(request["out"])
    model = kerasfile.load(request["model"], request["trust"])
    call, saved = kerasfile.caller(model), str(out / "saved")
    tf_saving.save(tf, model, lambda *inputs: call(inputs), specs, saved)
    outputs = tf_saving.run_saved(tf, saved, specs, tensors.rows_of(request))
    tensors.write_check(out, outputs)
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, batch=tensors.batch_of(specs)),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
