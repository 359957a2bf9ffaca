"""An exported program quantised by torchao (PT2E): static ranges, weights per channel, kept as an exported program.

torch is handed in, and what gives the runtime's quantiser. What the program answers plainly is torch's own floats around its
quantize and dequantize operators, which is what it computes unless a runtime makes integers of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inferometer.models.steps import calibration, checks, tensors, torch_exporting, torch_quantised
from inferometer.models.steps.refusals import refusing

_AT_ONCE = 8  # rows: torchao's histograms cost by the call, and whole batches change their ends little
Choose = Callable[[Any], "tuple[Any, str]"]  # a program -> its quantiser, and what that does, for people


def run(torch: Any, choose: Choose, request: dict[str, Any]) -> dict[str, Any]:
    """Return checks and versions; the quantised program lies in ``out``/model.pt2."""
    import torchao

    out, batch = Path(request["out"]), tensors.batch_of(request["specs"])
    source = torch.export.load(request["model"])
    quantiser, told = choose(source)
    module = torch_exporting.flat(torch, _quantised(torch, source, quantiser, request))
    program = torch_exporting.export(torch, module, list(calibration.timed(request).values()), batch)
    torch.export.save(program, out / "model.pt2")
    loaded = torch.export.load(out / "model.pt2")
    if not any(torch_quantised.MARK in str(node.target) for node in loaded.graph.nodes):
        raise ValueError("torchao left the program as it was: none of its operators has an int8 form")
    call = torch_exporting.computing(torch, loaded.module(), batch)

    def compute(rows: checks.Rows, chunk: int | None) -> list[Any]:
        return call(list(rows.values()), chunk)

    return {
        "checks": calibration.reference(request, compute, batch, out),
        "stored": "int8",
        "notes": [f"{told}, ranges of {calibration.count(request)} rows"],
        "versions": {"torch": torch.__version__, "torchao": torchao.__version__},
    }


def _quantised(torch: Any, program: Any, quantiser: Any, request: dict[str, Any]) -> Any:
    from torchao.quantization.pt2e import quantize_pt2e

    with refusing("torchao fails"):
        prepared = quantize_pt2e.prepare_pt2e(program.module(check_guards=False), quantiser)
        with torch.no_grad():
            for rows in calibration.batches(request, _AT_ONCE):
                prepared(*(torch.from_numpy(array) for array in rows.values()))
        return quantize_pt2e.convert_pt2e(prepared)
