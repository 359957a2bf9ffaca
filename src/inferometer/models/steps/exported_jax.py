"""Environment `torchax`: a torch exported program as a function that JAX exports, and its weights.

Request as in `models.conversions`. Products are computed in float32 throughout ("highest"), on the CPU and on NVIDIA GPUs.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import tensors
from inferometer.models.steps.refusals import refusing

PLATFORMS = ("cpu", "cuda")


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; ``out``/jaxexport has function.bin, which takes weights and inputs, and weights.npz."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import torch

    jax.config.update("jax_default_matmul_precision", "highest")
    folder, specs = Path(request["out"]) / "jaxexport", request["specs"]
    folder.mkdir()
    function, weights = _exported(jax, torch.export.load(request["model"]), specs)
    (folder / "function.bin").write_bytes(function)
    tensors.write_npz(str(folder / "weights.npz"), {f"w{place:05}": w for place, w in enumerate(weights)})
    call = jax.export.deserialize(bytearray(function)).call
    outputs = tensors.run_in_chunks(
        lambda rows: list(call(weights, *rows)), tensors.rows_of(request), tensors.batch_of(specs)
    )
    tensors.write_check(request["out"], outputs)
    versions = {"torch": torch.__version__, "jax": jax.__version__, "torchax": metadata.version("torchax")}
    return {"versions": versions}


def _exported(jax: Any, program: Any, specs: list[tensors.Spec]) -> tuple[bytes, list[Any]]:
    """Return the serialised function and its weights, which stay arguments: folded in they take XLA minutes."""
    from jax import export
    from torchax.export import exported_program_to_jax

    with refusing("torchax cannot convert it"):
        weights, function = exported_program_to_jax(program)
        (batch,) = export.symbolic_shape("b")
        shapes = [tuple(batch if size is None else size for size in spec["shape"]) for spec in specs]
        arguments = [jax.ShapeDtypeStruct(s, spec["dtype"]) for s, spec in zip(shapes, specs, strict=True)]
        leaves, tree = jax.tree_util.tree_flatten(weights)

        def call(flat: list[Any], *inputs: Any) -> Any:
            return tuple(function(jax.tree_util.tree_unflatten(tree, flat), inputs))

        kept = [np.asarray(leaf) for leaf in leaves]
        exported = export.export(jax.jit(call), platforms=PLATFORMS)(kept, *arguments)
        return bytes(exported.serialize()), kept
