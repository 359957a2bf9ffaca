"""Environment `onnx2tf`: an ONNX file as a TensorFlow SavedModel, through onnx2tf.

Request as in `models.conversions`. onnx2tf turns images to NHWC, and may turn outputs as well: those are turned back. The
signature `serving_default` takes the inputs by their safe names and gives output_0, output_1, ... in the file's order.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import onnxfile, tensors, tf_saving

_CHANNELS = (1, 3)
_NEAR = 1e-3  # of the largest value; the parent judges exactly


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the product's specs and layout; it lies in ``out``/saved, its outputs in ``out``/check.npz."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import tensorflow as tf

    turned = request["layout"] == "NCHW" and all(_is_image(spec) for spec in request["specs"])
    layout = "NHWC" if turned else request["layout"]
    specs = _specs(request["specs"], turned)
    saved = str(Path(request["out"]) / "saved")
    arrays = tensors.rows_of({**request, "layout": layout})
    wanted = _wanted(request)
    with tempfile.TemporaryDirectory() as folder:
        loaded, call = _converted(tf, request, folder, turned, quick=True)
        orders = _orders(tf, call, arrays, wanted)
        if not orders:
            loaded, call = _converted(tf, request, folder, turned, quick=False)
            orders = _orders(tf, call, arrays, wanted) or [tuple(range(like.ndim)) for like in wanted]
        tf_saving.save(tf, loaded, _turning(tf, call, orders), specs, saved)
    outputs = tf_saving.run_saved(tf, saved, specs, arrays)
    tensors.write_check(request["out"], outputs)
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, batch=tensors.batch_of(specs)),
        "layout": layout,
        "versions": {"tensorflow": tf.__version__, "onnx2tf": metadata.version("onnx2tf")},
    }


def _is_image(spec: tensors.Spec) -> bool:
    shape = spec["shape"]
    return len(shape) != 4 or (shape[1] in _CHANNELS and shape[3] not in _CHANNELS)


def _specs(specs: list[tensors.Spec], turned: bool) -> list[tensors.Spec]:
    names = tensors.safe_names(spec["name"] for spec in specs)
    return [
        {**spec, "name": name, "shape": _turned(spec["shape"]) if turned else spec["shape"]}
        for spec, name in zip(specs, names, strict=True)
    ]


def _turned(shape: list[int | None]) -> list[int | None]:
    return shape if len(shape) != 4 else [shape[0], shape[2], shape[3], shape[1]]


def _converted(
    tf: Any, request: dict[str, Any], folder: str, turned: bool, *, quick: bool
) -> tuple[Any, Any]:
    """Return the model as loaded and as `_caller`; ``quick``: without its search for wrong transpositions, which takes minutes."""
    _convert(request, folder, turned, quick)
    loaded = tf.saved_model.load(folder)
    return loaded, _caller(loaded, request["specs"])


def _convert(request: dict[str, Any], folder: str, turned: bool, quick: bool) -> None:
    onnx2tf: Any = importlib.import_module("onnx2tf.onnx2tf")
    onnx2tf.download_test_image_data = (
        _test_images  # else the network's, or any file of that name where one stands
    )
    kept = None if turned else [spec["name"] for spec in request["specs"]]
    said = io.StringIO()
    try:
        with tempfile.TemporaryDirectory() as own, contextlib.redirect_stdout(said):
            onnx2tf.convert(
                input_onnx_file_path=_copied(Path(request["model"]), request["specs"], Path(own)),
                output_folder_path=folder,
                keep_shape_absolutely_input_names=kept,
                output_signaturedefs=True,
                disable_strict_mode=quick,
                non_verbose=True,
                verbosity="error",
            )
    except (Exception, SystemExit) as error:  # it ends the process for operators that it does not know
        raise ValueError(f"onnx2tf cannot convert it: {_cause(said.getvalue(), error)}") from error


def _copied(model: Path, specs: list[tensors.Spec], folder: Path) -> str:
    """Return the path of a copy, weights beside it included: onnx2tf writes what it simplifies into the file that it is given.

    Its sizes are bound (files write -1 for a batch, and leave open what is asked for), its nodes' names such as TensorFlow takes.
    """
    import onnx

    copy = onnxfile.read(str(model))
    for name in onnxfile.external_files(copy, model):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model.parent / name, folder / name)
    shapes = {spec["name"]: spec["shape"] for spec in specs}
    for item in copy.graph.input:
        for dimension, size in zip(item.type.tensor_type.shape.dim, shapes.get(item.name, ())):
            if size is None:
                dimension.dim_param = "batch"
            else:
                dimension.dim_value = size
    for place, node in enumerate(copy.graph.node):
        node.name = f"{node.op_type}_{place}"
    onnx.save(copy, folder / model.name)
    return str(folder / model.name)


def _test_images() -> Any:
    """Return images as onnx2tf would download them to try operators on, where the batch is fixed: NHWC, 0 to 1."""
    return np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32)


def _cause(said: str, error: BaseException) -> str:
    """Return the operator at which it stopped, where it names one, and its error's first line."""
    found = re.findall(r"onnx_op_type:\s*(\w+)", re.sub(r"\x1b\[[0-9;]*m", "", said))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    cause = next(
        (line for line in lines if not line.startswith(("Exception encountered", "Call arguments"))), ""
    )
    if not re.search(r"\w", cause):  # a KeyError of '' says nothing
        cause = f"{type(error).__name__} {cause}".strip()
    return f"operator {found[-1]}: {cause[:200]}" if found else cause[:200]


def _caller(loaded: Any, specs: list[tensors.Spec]) -> Any:
    """Return a function from tensors in the file's order to outputs in the file's order."""
    signature = loaded.signatures[tf_saving.SIGNATURE]
    known = {re.sub(r"\W", "_", name): name for name in signature.structured_input_signature[1]}
    names = [known.get(re.sub(r"\W", "_", spec["name"]), "") for spec in specs]
    if not all(names):
        raise ValueError(f"onnx2tf named the inputs otherwise: {', '.join(known.values())}")
    return tf_saving.caller(signature, names, sorted(signature.structured_outputs, key=_number))


def _number(name: str) -> int:
    found = re.search(r"(\d+)$", name)
    return int(found[1]) if found else 0


def _wanted(request: dict[str, Any]) -> list[Any]:
    """Return what the file itself answers to its first rows."""
    import onnxruntime

    session = onnxruntime.InferenceSession(request["model"], providers=["CPUExecutionProvider"])
    rows = tensors.batch_of(request["specs"]) or 2
    given = [array[:rows] for array in tensors.rows_of(request)]
    return list(session.run(None, dict(zip((spec["name"] for spec in request["specs"]), given))))


def _orders(tf: Any, call: Any, arrays: list[Any], wanted: list[Any]) -> list[tuple[int, ...]]:
    """Return for each output the order of its axes that makes it the file's own; [] where one is another output."""
    rows = len(wanted[0])
    found = [output.numpy() for output in call(*(tf.constant(array[:rows]) for array in arrays))]
    orders = [_order(array, like) for array, like in zip(found, wanted)]
    return orders if len(found) == len(wanted) and all(orders) else []


def _order(array: Any, like: Any) -> tuple[int, ...]:
    """Return the order of axes that turns one array into the other, () for none."""
    for axes in itertools.permutations(range(1, array.ndim)):
        turned = array.transpose((0, *axes)) if array.ndim else array
        if turned.shape == like.shape and np.allclose(
            turned, like, rtol=_NEAR, atol=_NEAR * np.abs(like).max()
        ):
            return (0, *axes)
    return ()


def _turning(tf: Any, call: Any, orders: list[tuple[int, ...]]) -> Any:
    """Return ``call`` with the axes of its outputs in other orders."""

    def turned(*inputs: Any) -> list[Any]:
        outputs = zip(call(*inputs), orders, strict=True)
        return [out if order == tuple(sorted(order)) else tf.transpose(out, order) for out, order in outputs]

    return turned
