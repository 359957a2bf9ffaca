"""Environment `torch`: a Keras file as a torch exported program (`.pt2`), read back and run.

The model is loaded on Keras' torch backend and rebuilt channels-first (`channels_first`), else taken as built.

Request as in `models.conversions`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import channels_first, kerasfile, tensors, torch_exporting, torch_graph
from inferometer.models.steps.refusals import refusing


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs, layout and notes; the program lies in ``out``/model.pt2, its outputs in ``out``/check.npz."""
    keras = kerasfile.start("torch")
    import torch

    specs, out = request["specs"], Path(request["out"])
    arrays = tensors.rows_of(request)
    model, layout, notes = _native(keras, kerasfile.load(request["model"], request["trust"]), specs)
    if layout == "NCHW":
        arrays = [tensors.in_layout(array, "NHWC", "NCHW") for array in arrays]
        specs = [_channels_first_spec(spec) for spec in specs]
    batch = tensors.batch_of(specs)
    program = _export(torch, _module(torch, model), arrays, batch)
    torch.export.save(program, out / "model.pt2")
    outputs = torch_exporting.run(torch, torch.export.load(out / "model.pt2"), arrays, batch)
    tensors.write_check(out, outputs)
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, batch=batch),
        "layout": layout,
        "notes": notes,
        "versions": {"keras": keras.__version__, "torch": torch.__version__},
    }


def _native(keras: Any, model: Any, specs: list[tensors.Spec]) -> tuple[Any, str, list[str]]:
    if not any(len(spec["shape"]) == 4 for spec in specs):
        return model, "", []
    try:
        return channels_first.convert(keras, model), "NCHW", []
    except channels_first.CannotConvertError as error:
        return model, "NHWC", [f"kept as built (NHWC): {error}"]


def _channels_first_spec(spec: tensors.Spec) -> tensors.Spec:
    shape = spec["shape"]
    return spec if len(shape) != 4 else {**spec, "shape": [shape[0], shape[3], shape[1], shape[2]]}


def _module(torch: Any, model: Any) -> Any:
    """Return a torch module taking the inputs one by one and giving one tensor, or a tuple."""
    call = kerasfile.caller(model)

    class Inference(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            outputs = call(inputs)
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

    return Inference().eval()


def _export(torch: Any, module: Any, arrays: list[Any], fixed: int | None) -> Any:
    """Return the tidied program, its batch free unless the source fixes it."""
    sample = tuple(torch.from_numpy(torch_exporting.rows(array, fixed or 2)) for array in arrays)
    free = None if fixed else {0: torch.export.Dim("batch", min=1)}

    def export(traced: Any, argument: str) -> Any:
        shapes = {argument: (free,) * len(sample)} if argument else (free,) * len(sample)
        return torch.export.export(traced, sample, dynamic_shapes=shapes if free else None)

    with refusing("torch.export refuses the model"):
        with torch.no_grad(), torch_graph.native_batch_norm(torch):
            traced = export(module, "inputs")
        return export(torch_graph.tidy(torch, traced), "")
