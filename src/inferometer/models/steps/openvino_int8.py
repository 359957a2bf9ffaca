"""Environment `nncf`: an ONNX file quantised for OpenVINO by NNCF: FakeQuantize nodes, static ranges, weights per channel.

Request as in `models.conversions`, of a step that quantises; weight_bits: 7 where the processor's sums could overflow. What
the file answers plainly is OpenVINO's own floats around these nodes, without its low-precision transformations.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inferometer.models.steps import calibration, checks, onnxfile, tensors
from inferometer.models.steps.refusals import refusing

_PLAIN = {"INFERENCE_PRECISION_HINT": "f32", "LP_TRANSFORMS_MODE": "NO"}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return checks and versions; the quantised model lies in ``out``/model.xml and model.bin."""
    os.environ["NNCF_CI"] = "1"  # NNCF's telemetry is off
    import nncf
    import openvino

    out, specs = Path(request["out"]), request["specs"]
    onnxfile.refuse_quantised(request["model"])
    quantised, how = _quantised(nncf, openvino.Core().read_model(request["model"]), request)
    openvino.save_model(quantised, out / "model.xml", compress_to_fp16=False)
    if not any(node.get_type_name() == "FakeQuantize" for node in quantised.get_ops()):
        raise ValueError("NNCF left the model as it was: none of its operators has an int8 form")
    batch = tensors.batch_of(specs)
    compute = computing(openvino, out / "model.xml", batch, _PLAIN)
    return {
        "checks": calibration.reference(request, compute, batch, out),
        "stored": "int8",
        "notes": [
            f"weights in {request['weight_bits']} bits, ranges of {calibration.count(request)} rows{how}"
        ],
        "versions": {"nncf": nncf.__version__, "openvino": openvino.__version__},
    }


def _quantised(nncf: Any, model: Any, request: dict[str, Any]) -> tuple[Any, str]:
    """Return the quantised model, and in words what of NNCF's default could not be done."""
    from nncf.quantization.advanced_parameters import OverflowFix

    fix = OverflowFix.ENABLE if request["weight_bits"] == 7 else OverflowFix.DISABLE
    nncf.set_log_level(40)
    batches = [list(rows.values()) for rows in calibration.batches(request)]

    def quantise(*, corrected: bool) -> Any:
        asked = nncf.AdvancedQuantizationParameters(disable_bias_correction=not corrected, overflow_fix=fix)
        data = nncf.Dataset(batches)
        return nncf.quantize(model.clone(), data, subset_size=len(batches), advanced_parameters=asked)

    try:
        return quantise(corrected=True), ""
    except Exception:  # its correction of biases takes a constant of MobileNetV3 for one (3.4)
        with refusing("NNCF fails"):
            return quantise(corrected=False), ", biases not corrected"


def computing(openvino: Any, path: Path, batch: int | None, settings: dict[str, Any]) -> checks.Compute:
    """Return how a file computes rows on the CPU with some settings, for `checks`."""
    compiled = openvino.Core().compile_model(path, "CPU", settings)

    def compute(rows: checks.Rows, chunk: int | None) -> list[Any]:
        return tensors.run_in_chunks(
            lambda arrays: list(compiled(arrays).values()), list(rows.values()), batch or chunk
        )

    return compute
