"""Environment `torch`: a Keras file as a torch exported program (`.pt2`), read back and run.

The model is loaded on Keras' torch backend and rebuilt channels-first (`channels_first`), else taken as built.

Request: model (path of the `.keras`), trust, specs (inputs, NHWC), inputs (.npz, NHWC), out (directory: model.pt2,
check.npz).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import channels_first, kerasfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs, layout and notes; the program lies in ``out``/model.pt2, its outputs in ``out``/check.npz."""
    keras = kerasfile.start("torch")
    import torch

    specs, out = request["specs"], Path(request["out"])
    arrays = list(tensors.read_npz(request["inputs"], specs).values())
    model, layout, notes = _native(keras, kerasfile.load(request["model"], request["trust"]), specs)
    if layout == "NCHW":
        arrays = [tensors.to_channels_first(array) for array in arrays]
        specs = [_channels_first_spec(spec) for spec in specs]
    program, batch = _export(torch, _module(torch, model), arrays, tensors.batch_of(specs), notes)
    torch.export.save(program, out / "model.pt2")
    outputs = _run(torch, torch.export.load(out / "model.pt2"), arrays, batch)
    names = [f"output_{index}" for index in range(len(outputs))]
    tensors.write_npz(str(out / "check.npz"), dict(zip(names, outputs, strict=True)))
    return {
        "inputs": [{**spec, "shape": [batch, *spec["shape"][1:]]} for spec in specs],
        "outputs": tensors.output_specs(outputs, names, batch),
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


def _export(
    torch: Any, module: Any, arrays: list[Any], fixed: int | None, notes: list[str]
) -> tuple[Any, int | None]:
    """Return the program and its fixed batch size: None where the batch is free, which is tried first."""
    with torch.no_grad():
        if fixed is None:
            sample = tuple(torch.from_numpy(_rows(array, 2)) for array in arrays)
            free = ({0: torch.export.Dim("batch", min=1)},) * len(sample)
            try:
                return torch.export.export(module, sample, dynamic_shapes=(free,)), None
            except Exception as error:
                raise ValueError(
                    f"torch.export refuses a free batch size: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
                ) from error
        sample = tuple(torch.from_numpy(_rows(array, fixed)) for array in arrays)
        notes.append(f"batch fixed to {fixed}, as in the source")
        return torch.export.export(module, sample), fixed


def _rows(array: Any, count: int) -> Any:
    import numpy as np

    return np.ascontiguousarray(np.resize(array, (count, *array.shape[1:])))


def _run(torch: Any, program: Any, arrays: list[Any], batch: int | None) -> list[Any]:
    module = program.module()

    def call(rows: list[Any]) -> list[Any]:
        with torch.no_grad():
            answer = module(*(torch.from_numpy(row.copy()) for row in rows))
        return [output.numpy() for output in (answer if isinstance(answer, (tuple, list)) else (answer,))]

    return tensors.run_in_chunks(call, arrays, batch)
