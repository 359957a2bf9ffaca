"""Environment `litert`: the user's own flatbuffer, with rows and the outputs of LiteRT's plain kernels as reference.

Request: file, shapes, ranges, seed, inputs (.npz or None), more (.npz of rows for checks only, or None), out (directory:
model.tflite, inputs.npz, reference.npz, check.npz and what `checks` writes).
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import checks, dimensions, drawn, litert_held, litert_size, tensors
from inferometer.models.steps.refusals import refusing


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs and versions; the files lie in ``out``."""
    import ai_edge_litert

    path, out = request["file"], Path(request["out"])
    plain, specs = opened(path, request["shapes"])
    with _refusing(path):
        names = [item["name"] for item in plain.get_output_details()]
    batch = tensors.batch_of(specs)
    arrays = checks.rows_of(request, specs, {})
    compute = _computing(path, plain, batch)
    outputs = compute(arrays, None)
    quick = _computing(path, _interpreter(path, plain=False), batch)
    shutil.copyfile(path, out / "model.tflite")
    tensors.write_rows(out, arrays, outputs, quick(arrays, None))
    ways = {"optimised": quick, **checks.moved_ways(compute)}
    made = checks.Reference(arrays, outputs, compute, batch, checks.more_of(request, specs, {}), ways)
    return {
        "checks": made.write(out),
        "drawn": drawn.words(request, specs, {}),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, batch),
        **facts(path, plain, batch),  # last, since it gives the inputs one row
        "versions": {"ai-edge-litert": ai_edge_litert.__version__},
    }


def opened(path: str, shapes: dict[str, int]) -> tuple[Any, list[tensors.Spec]]:
    """Return an interpreter of a file's plain kernels, and its inputs."""
    plain = _interpreter(path, plain=True)
    with _refusing(path):
        specs, sizes = _specs(plain)
    return plain, dimensions.bind(specs, sizes, shapes)


def facts(path: str, interpreter: Any, batch: int | None) -> dict[str, Any]:
    """Return the file's own precision and size; the inputs get one row, or ``batch``."""
    with _refusing(path):
        return {**litert_held.stored(interpreter), **litert_size.size(interpreter, batch)}


def _refusing(path: str) -> contextlib.AbstractContextManager[None]:
    return refusing(f"LiteRT refuses {Path(path).name}")


def _interpreter(path: str, *, plain: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else OpResolverType.AUTO
    with _refusing(path):
        interpreter = Interpreter(model_path=path, experimental_op_resolver_type=kind)
        interpreter.allocate_tensors()
    return interpreter


def _specs(interpreter: Any) -> tuple[list[tensors.Spec], list[list[int | None]]]:
    details = interpreter.get_input_details()
    specs = [{"name": item["name"], "dtype": np.dtype(item["dtype"]).name} for item in details]
    sizes = [[None if size == -1 else int(size) for size in _shape(item)] for item in details]
    return specs, sizes


def _shape(item: dict[str, Any]) -> Any:
    signature = item["shape_signature"]
    return signature if len(signature) else item["shape"]


def _computing(path: str, interpreter: Any, batch: int | None) -> checks.Compute:
    inputs = [item["index"] for item in interpreter.get_input_details()]
    outputs = [item["index"] for item in interpreter.get_output_details()]

    def call(rows: list[Any]) -> list[Any]:
        with _refusing(path):
            if batch is None:
                for index, row in zip(inputs, rows):
                    interpreter.resize_tensor_input(index, row.shape)
                interpreter.allocate_tensors()
            for index, row in zip(inputs, rows, strict=True):
                interpreter.set_tensor(index, row)
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in outputs]

    return lambda arrays, chunk: tensors.run_in_chunks(call, list(arrays.values()), batch or chunk)
