"""Environment `onnxrt`: an ONNX file quantised by ONNX Runtime: QDQ nodes, static ranges, weights per channel.

Request as in `models.conversions`, of a step that quantises; weight_bits: 7 where the processor adds two products in 16
bits, which can overflow with 8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import calibration, checks, onnx_reference, onnxfile
from inferometer.models.steps.refusals import refusing


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return what `onnx_reference` says of the quantised file, which lies in ``out``/model.onnx."""
    out = Path(request["out"])
    onnxfile.refuse_quantised(request["model"])
    path = str(out / "model.onnx")
    _quantise(request, path, out)
    rows = calibration.timed(request)
    found = onnx_reference.write(path, request["specs"], rows, calibration.more_of(request), out)
    model = onnxfile.read(path)
    kinds = [node.op_type for node in model.graph.node]
    if not onnxfile.QUANTISED.intersection(kinds):
        raise ValueError(
            "ONNX Runtime's quantiser left the file as it was: none of its operators has an int8 form"
        )
    bits = request["weight_bits"]
    return {
        **found,
        "stored": "int8",
        "notes": [f"weights in {bits} bits, ranges of {calibration.count(request)} rows"],
    }


def _quantise(request: dict[str, Any], path: str, out: Path) -> None:
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = out / "prepared.onnx"
    batches = calibration.batches(request)
    try:
        with refusing("ONNX Runtime's quantiser fails"):
            quant_pre_process(request["model"], prepared, skip_symbolic_shape=True)  # which folds batch norms
            quantization.quantize_static(
                prepared, path, _Reader(batches), per_channel=True, reduce_range=request["weight_bits"] == 7,
                activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            )  # fmt: skip
    finally:
        prepared.unlink(missing_ok=True)


class _Reader:
    """Hands over batches as ONNX Runtime's quantiser wants them: one a call, then None."""

    def __init__(self, batches: list[checks.Rows]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> checks.Rows | None:
        return next(self._batches, None)
