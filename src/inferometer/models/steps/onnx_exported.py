"""Environment `torch-models`: an ONNX file as a torch exported program, through onnx2torch.

Request as in `models.conversions`.
"""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from inferometer.models.steps import onnx_opset, tensors, torch_exporting

OPSET = 17  # onnx2torch knows few operators in their newer form


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the program's specs; it lies in ``out``/model.pt2, its outputs in ``out``/check.npz."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    specs, out = request["specs"], Path(request["out"])
    module = torch_exporting.flat(torch, _converted(request["model"]))
    arrays, batch = tensors.rows_of(request), tensors.batch_of(specs)
    program = torch_exporting.export(torch, module, arrays, batch, tidy=True)
    torch.export.save(program, out / "model.pt2")
    outputs = torch_exporting.run(torch, torch.export.load(out / "model.pt2"), arrays, batch)
    tensors.write_check(out, outputs)
    return {
        "outputs": tensors.output_specs(outputs, [item["name"] for item in request["outputs"]], batch),
        "versions": {"torch": torch.__version__, "onnx2torch": metadata.version("onnx2torch")},
    }


def _converted(path: str) -> Any:
    import onnx
    import onnx2torch

    try:
        return _with_known_shapes(onnx2torch.convert(onnx_opset.lowered(onnx.load(path), OPSET)).eval())
    except NotImplementedError as error:
        found = re.search(r"operation_type='(\w+)'", str(error))
        cause = f"it has no operator {found[1]}" if found else " ".join(str(error).split())[:200]
        raise ValueError(f"onnx2torch cannot convert it: {cause}") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise ValueError(f"onnx2torch cannot convert it: {type(error).__name__}: {text[:200]}") from error


def _with_known_shapes(module: Any) -> Any:
    """Return an onnx2torch module whose reshapes know their sizes, where these are constant: a tensor of sizes cannot be traced."""
    for node in list(module.graph.nodes):
        if node.op != "call_module" or type(module.get_submodule(node.target)).__name__ != "OnnxReshape":
            continue
        data, sizes = node.args
        if sizes.op == "get_attr":
            known = tuple(module.get_buffer(sizes.target).tolist())
            with module.graph.inserting_before(node):
                node.replace_all_uses_with(module.graph.call_function(_reshape, (data, known)))
            module.graph.erase_node(node)
    module.recompile()
    return module


def _reshape(data: Any, sizes: tuple[int, ...]) -> Any:
    """Reshape as ONNX does: 0 keeps the size of that axis."""
    return data.reshape([data.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)])
