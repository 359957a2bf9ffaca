"""Environment `tf`: the user's own SavedModel, with rows and its signature's outputs as reference.

Request: file (the folder), shapes, ranges, seed, trust, inputs (.npz or None), more (.npz of rows for checks only, or None), out
(directory: saved/ with every dimension but the batch known, inputs.npz, reference.npz, check.npz and what `checks` writes).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inferometer.models.steps import checks, tensors

_FOREIGN = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"))


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs and versions; the files lie in ``out``."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    loaded, signature = _load(tf, request)
    own = signature.structured_input_signature[1]
    specs = _specs(own, request["shapes"])
    names = sorted(signature.structured_outputs)
    out, batch = Path(request["out"]), tensors.batch_of(specs)
    arrays = checks.rows_of(request, specs, {})
    _save(tf, loaded, signature, list(own), specs, path=str(out / "saved"))
    compute = _computing(tf, signature, list(own), names, batch)
    outputs = compute(arrays, None)
    saved = tf.saved_model.load(str(out / "saved")).signatures["serving_default"]
    numbered = [f"output_{place}" for place in range(len(names))]
    again = _computing(tf, saved, [spec["name"] for spec in specs], numbered, batch)(arrays, None)
    tensors.write_npz(str(out / "inputs.npz"), arrays)
    tensors.write_npz(str(out / "reference.npz"), dict(zip(numbered, outputs, strict=True)))
    tensors.write_check(out, again)
    made = checks.Reference(
        arrays, outputs, compute, batch, checks.more_of(request, specs, {}), _ways(tf, loaded, compute)
    )
    return {
        "checks": made.write(out),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, numbered, batch),
        "versions": {"tensorflow": tf.__version__},
    }


def _load(tf: Any, request: dict[str, Any]) -> tuple[Any, Any]:
    name = Path(request["file"]).name
    try:
        loaded = tf.saved_model.load(request["file"])
    except Exception as error:
        text = " ".join(str(error).split())
        raise ValueError(
            f"{name} cannot be loaded as a SavedModel: {type(error).__name__}: {text[:300]}"
        ) from error
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        known = ", ".join(loaded.signatures) or "none"
        raise ValueError(f"{name} has no signature serving_default (it has {known}); save it with one")
    library = signature.graph.as_graph_def().library.function
    kinds = {op.type for op in signature.graph.get_operations()}.union(
        n.op for f in library for n in f.node_def
    )
    foreign = sorted(kinds & _FOREIGN)
    if foreign and not request["trust"]:
        raise ValueError(
            f"{name} has operator {foreign[0]}, which reaches out of the model; give --trust-model if you trust it"
        )
    return loaded, signature


def _specs(own: dict[str, Any], shapes: dict[str, int]) -> list[tensors.Spec]:
    names = tensors.safe_names(own)
    specs = [{"name": name, "dtype": tensor.dtype.name} for name, tensor in zip(names, own.values())]
    unknown = next((name for name, tensor in own.items() if tensor.shape.rank is None), "")
    if unknown:
        raise ValueError(f"input '{unknown}' has no shape; save the model with one")
    return tensors.bind(specs, [tensor.shape.as_list() for tensor in own.values()], shapes)


def _computing(
    tf: Any, signature: Any, own: list[str], names: list[str], batch: int | None
) -> checks.Compute:
    def call(rows: list[Any]) -> list[Any]:
        answer = signature(**{name: tf.constant(row) for name, row in zip(own, rows, strict=True)})
        return [answer[name].numpy() for name in names]

    return lambda arrays, chunk: tensors.run_in_chunks(call, list(arrays.values()), batch or chunk)


def _ways(tf: Any, loaded: Any, compute: checks.Compute) -> dict[str, checks.Compute]:
    """Return other ways to the reference: graphs as they are, and with variables and inputs moved, which are put back."""

    def plain(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        try:
            return compute(arrays, chunk)
        finally:
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})

    def moving(bits: int) -> checks.Compute:
        def moved(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
            variables = list(getattr(loaded, "variables", ()))
            kept = [variable.numpy() for variable in variables]
            try:
                for place, (variable, value) in enumerate(zip(variables, kept)):
                    variable.assign(checks.moved(value, bits, place))
                return compute(checks.moved_rows(arrays, bits), chunk)
            finally:
                for variable, value in zip(variables, kept):
                    variable.assign(value)

        return moved

    return {"optimised": plain, **{kind: moving(bits) for kind, bits in checks.BITS.items()}}


def _save(
    tf: Any, loaded: Any, signature: Any, own: list[str], specs: list[tensors.Spec], *, path: str
) -> None:
    """Save the model anew: inputs by their safe names, outputs by their numbers."""
    module, names = tf.Module(), sorted(signature.structured_outputs)
    module.loaded = loaded  # tracked, so that its variables are saved

    def serve(*inputs: Any) -> dict[str, Any]:
        answer = signature(**dict(zip(own, inputs)))
        return {f"output_{place}": answer[name] for place, name in enumerate(names)}

    serve_function: Callable[..., Any] = tf.function(
        serve,
        input_signature=[tf.TensorSpec(spec["shape"], spec["dtype"], name=spec["name"]) for spec in specs],
        autograph=False,
    )
    module.serve = serve_function
    tf.saved_model.save(module, path, signatures={"serving_default": serve_function})
