"""Environment `tf`: a SavedModel quantised for LiteRT by TensorFlow's converter: static ranges, weights per channel, floats in and out.

Without ranges, weights alone (`litert_int8_weights`): the kernels round values batch by batch. Request as in
`models.conversions`, of a step that quantises. What the file answers plainly is LiteRT's reference kernels. LiteRT's int8 kernels add in 32 bits, so that weights have 8 bits everywhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inferometer.models.steps import calibration, checks, tensors, tf_saving
from inferometer.models.steps.refusals import refusing


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return checks and versions; the quantised model lies in ``out``/model.tflite."""
    return quantise(request, ranges=True)


def quantise(request: dict[str, Any], *, ranges: bool) -> dict[str, Any]:
    """Return what `run` does; ``ranges``: of the values, learnt from rows."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import tensorflow as tf

    out, specs = Path(request["out"]), request["specs"]
    content = _quantised(tf, request, ranges=ranges)
    _check_runs(tf, content)
    (out / "model.tflite").write_bytes(content)
    batch = tensors.batch_of(specs)
    compute = _computing(tf, content, request, batch)
    told = f"ranges of {calibration.count(request)} rows" if ranges else "values rounded batch by batch"
    return {
        "checks": calibration.reference(request, compute, batch, out),
        "stored": "int8",
        "notes": [f"weights in 8 bits, {told}"],
        "versions": {"tensorflow": tf.__version__},
    }


def _quantised(tf: Any, request: dict[str, Any], *, ranges: bool) -> bytes:
    loaded = tf.saved_model.load(request["model"])
    signature = loaded.signatures[tf_saving.SIGNATURE]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([signature], loaded)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if ranges:
        converter.representative_dataset = lambda: iter(calibration.batches(request))
    with refusing("TensorFlow's quantiser fails"):
        content: bytes = converter.convert()
    return content


def _check_runs(tf: Any, content: bytes) -> None:
    """Raise ValueError for a file that LiteRT refuses: its plain kernels would end this process instead."""
    try:
        tf.lite.Interpreter(model_content=content).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"TensorFlow's quantiser wrote a file that LiteRT refuses: {text[:200]}") from error


def _computing(tf: Any, content: bytes, request: dict[str, Any], batch: int | None) -> checks.Compute:
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF
    )
    signature = interpreter.get_signature_runner(tf_saving.SIGNATURE)
    outputs = [spec["name"] for spec in request["outputs"]]

    def compute(rows: checks.Rows, chunk: int | None) -> list[Any]:
        def call(arrays: list[Any]) -> list[Any]:
            answer = signature(**dict(zip(rows, arrays, strict=True)))
            return [answer[name] for name in outputs]

        return tensors.run_in_chunks(call, list(rows.values()), batch or chunk)

    return compute
