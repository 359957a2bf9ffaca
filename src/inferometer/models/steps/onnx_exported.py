"""Environment `torch-models`: an ONNX file as a torch exported program, through onnx2torch.

Request as in `models.conversions`.
"""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from inferometer.models.steps import (
    onnx_operators,
    onnx_opset,
    onnx_traceable,
    onnx_weights,
    refusals,
    tensors,
    torch_exporting,
)
from inferometer.models.steps.onnx_graphs import with_shapes

LARGEST_BYTES = 1 << 31  # of a message of protobuf


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the program's specs; it lies in ``out``/model.pt2, its outputs in ``out``/check.npz."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    specs, out = request["specs"], Path(request["out"])
    module = torch_exporting.flat(torch, _converted(torch, request["model"], specs))
    arrays, batch = tensors.rows_of(request), tensors.batch_of(specs)
    program = torch_exporting.export(torch, module, arrays, batch, tidy=True)
    torch.export.save(program, out / "model.pt2")
    outputs = torch_exporting.run(torch, torch.export.load(out / "model.pt2"), arrays, batch)
    tensors.write_check(out, outputs)
    return {
        "outputs": tensors.output_specs(outputs, [item["name"] for item in request["outputs"]], batch),
        "versions": {"torch": torch.__version__, "onnx2torch": metadata.version("onnx2torch")},
    }


def _converted(torch: Any, path: str, specs: list[dict[str, Any]]) -> Any:
    import onnx
    import onnx2torch

    onnx_operators.register(torch)

    try:
        model = onnx_opset.plainly_sized(onnx_opset.with_initializers(onnx.load(path)))
        model = _bound(onnx_weights.with_weights(model), specs)
        if model.ByteSize() < LARGEST_BYTES:
            # before operators are of another opset than their own
            model = onnx_opset.with_ranks(with_shapes(model))
        model = _named(onnx_opset.lowered(model, onnx_operators.OPSET))
        made = onnx2torch.convert(model, attach_onnx_mapping=True).eval()
        return onnx_traceable.traceable(torch, made, model)
    except NotImplementedError as error:
        found = re.search(r"operation_type='(\w+)'", str(error))
        cause = f"it has no operator {found[1]}" if found else refusals.text_of(error)
        raise ValueError(f"onnx2torch cannot convert it: {cause}") from error
    except Exception as error:
        raise ValueError(f"onnx2torch cannot convert it: {refusals.line(error)}") from error


def _named(model: Any) -> Any:
    """Return the model with plain names of nodes and domains: a semicolon in one is saved and cannot be loaded, a dot names no module."""
    for place, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{place}"
        node.domain = node.domain.replace(".", "_")
    for item in model.opset_import:
        item.domain = item.domain.replace(".", "_")
    return model


def _bound(model: Any, specs: list[dict[str, Any]]) -> Any:
    """Return the model with its inputs' sizes as they are bound: onnx2torch asks for the ranks that follow."""
    shapes = {spec["name"]: spec["shape"] for spec in specs}
    for item in model.graph.input:
        for dimension, size in zip(item.type.tensor_type.shape.dim, shapes.get(item.name, ())):
            if size is not None:
                dimension.dim_value = size
    del model.graph.value_info[:]
    return model
