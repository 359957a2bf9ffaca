"""ONNX files inside a step: inputs, external data, and sessions whose numbers are nobody's optimisation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inferometer.models.steps import checks, dimensions, onnx_held, tensors

_FLOATS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
_OTHERS = {
    f"tensor({name})": name
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
}
QUANTISED = onnx_held.INTEGER.union(
    ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", *onnx_held.PACKED)
)
DTYPES = {**_FLOATS, **_OTHERS, "tensor(bool)": "bool"}


def read(path: str) -> Any:
    """Return the ONNX model without its external data; ValueError (one line) if the file is none."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ValueError(f"{Path(path).name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # protobuf's DecodeError
        raise ValueError(
            f"{Path(path).name} is no ONNX model: {' '.join(str(error).split())[:200]}"
        ) from error
    if not model.graph.node:
        raise ValueError(f"{Path(path).name} is no ONNX model: its graph has no nodes")
    return model


def external_files(model: Any, path: Path) -> list[str]:
    """Return the names of the files that hold weights; ValueError if one is absent or outside the folder of ``path``.

    A link beside the model may lead to where a link of its name leads the model itself: caches of downloads keep all files in one folder.
    """
    names = {
        entry.value
        for tensor in _all_tensors(model.graph)
        if tensor.data_location == 1  # EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    roots = path.parent.resolve(), path.resolve().parent
    for name in sorted(names):
        target = (path.parent / name).resolve()
        inside = any(target.is_relative_to(root) for root in roots)
        if not inside or ".." in Path(os.path.normpath(name)).parts:
            raise ValueError(f"the model's weights lie outside its folder ({name}): refused")
        if not target.is_file():
            raise ValueError(f"the model's weights are missing: {name} should lie beside it in {path.parent}")
    return sorted(names)


def _all_tensors(graph: Any) -> Any:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _all_tensors(attribute.g)


def session(path: str, content: bytes | None = None, *, optimised: bool = False) -> Any:
    """Return an onnxruntime session on the CPU, by default with graph optimisations off.

    ``content``: of the file, where it is not what lies there. ValueError if the model does not load.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    try:
        made = onnxruntime.InferenceSession(content or path, options, providers=["CPUExecutionProvider"])
        for item in (*made.get_inputs(), *made.get_outputs()):
            assert isinstance(item.name, str) and isinstance(
                item.shape, list
            )  # which raises for names that are no text
        return made
    except Exception as error:
        text = " ".join(str(error).split())
        raise ValueError(f"ONNX Runtime refuses {Path(path).name}: {text[:300]}") from error


def stored_precision(model: Any) -> str:
    """Return the coarsest precision inside the file, by its tensors and operators; '' for fp32."""
    kinds = {tensor.data_type for tensor in _all_tensors(model.graph)}
    kinds |= {item.type.tensor_type.elem_type for item in (*model.graph.input, *model.graph.output)}
    kinds |= {
        a.i for node in model.graph.node if node.op_type == "Cast" for a in node.attribute if a.name == "to"
    }
    if any(node.op_type in QUANTISED for node in model.graph.node):
        return "int8"
    return "bf16" if 16 in kinds else "fp16" if 10 in kinds else ""  # onnx.TensorProto.BFLOAT16, FLOAT16


def stored(model: Any) -> dict[str, Any]:
    """Return what a step answers of a file's own precision: `stored`, and `holds` (`onnx_held`) where that is not all fp32.

    Weights that are widened by casts and products are computed with as exactly as any: `stored` does not tell them.
    """
    coarsest, found = stored_precision(model), onnx_held.holds(model)
    return {"stored": coarsest, **({"holds": found} if coarsest or set(found) - {"fp32", "fp64"} else {})}


def refuse_quantised(path: str) -> None:
    """Raise ValueError for a file that cannot be quantised since it is already."""
    if stored_precision(read(path)) == "int8":
        raise ValueError("the file is quantised already; it is measured as it is")


def declared(items: Any) -> tuple[list[tensors.Spec], list[list[Any]]]:
    """Return name and dtype of a session's inputs, and their dimensions: ints, names, or None; ValueError for odd dtypes."""
    specs, sizes = [], []
    for item in items:
        if item.type not in DTYPES:
            raise ValueError(
                f"input '{item.name}' has type {item.type}; inferometer feeds numeric tensors only"
            )
        specs.append({"name": item.name, "dtype": DTYPES[item.type]})
        sizes.append([size if size != -1 else None for size in item.shape])
    return specs, sizes


def input_specs(loaded: Any) -> list[tensors.Spec]:
    """Return the inputs of a file that has rows first and no other dimension open."""
    return dimensions.bind(*declared(loaded.get_inputs()), {})


def table_sizes(model: Any) -> dict[str, int]:
    """Return for each input that a Gather looks up in a constant table (an embedding) the number of its rows."""
    lengths = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    alias = {item.name: item.name for item in model.graph.input}
    sizes: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in alias:
            alias[node.output[0]] = alias[node.input[0]]
        if node.op_type == "Gather" and node.input[0] in lengths and node.input[1] in alias:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            if axis == 0:
                name = alias[node.input[1]]
                sizes[name] = min(sizes.get(name, lengths[node.input[0]]), lengths[node.input[0]])
    return sizes


def computing(loaded: Any, batch: int | None) -> checks.Compute:
    """Return how a session computes rows, for `checks`."""
    return lambda arrays, chunk: outputs(loaded, arrays, batch or chunk)


def outputs(loaded: Any, arrays: dict[str, Any], batch: int | None) -> list[Any]:
    """Run the rows; ValueError (one line, with the remedy for indices out of bounds) if the model fails."""
    names = list(arrays)

    def call(rows: list[Any]) -> list[Any]:
        return run(loaded, dict(zip(names, rows, strict=True)))

    found = tensors.run_in_chunks(call, list(arrays.values()), batch)
    rows = len(next(iter(arrays.values())))
    for item, array in zip(loaded.get_outputs(), found, strict=True):
        if array.ndim == 0 or len(array) != rows:
            raise ValueError(
                f"output '{item.name}' has shape {array.shape} for {rows} rows; outputs must have the batch first"
            )
    return found


def run(loaded: Any, arrays: dict[str, Any]) -> list[Any]:
    """Run one batch; ValueError as `outputs`."""
    try:
        return list(loaded.run(None, arrays))
    except Exception as error:
        text = " ".join(str(error).split())
        integers = [name for name, array in arrays.items() if array.dtype.kind in "iu"]
        hint = f"; give --input-range {integers[0]}=LOW:HIGH" if integers and "out of" in text else ""
        raise ValueError(f"the model fails on its input: {text[:300]}{hint}") from error
