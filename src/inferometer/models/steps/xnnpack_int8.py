"""Environment `executorch`: an exported program quantised for XNNPACK by ExecuTorch's quantiser (`pt2e`).

Request as in `models.conversions`, of a step that quantises. XNNPACK's int8 kernels add in 32 bits, so that weights have 8
bits everywhere.
"""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import pt2e


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return what `pt2e` says of the quantised program, which lies in ``out``/model.pt2."""
    import torch

    return pt2e.run(torch, _choose, request)


def _choose(program: Any) -> tuple[Any, str]:
    """Return a quantiser of all that XNNPACK has in integers, of products alone where layers are normalised.

    The sums that layer norms take have channels far larger than the others, which one scale for all destroys: a ViT of timm
    was off by 1.0 of its spread that way, by 0.04 with products alone.
    """
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as xnnpack

    config = xnnpack.get_symmetric_quantization_config(is_per_channel=True)
    quantiser = xnnpack.XNNPACKQuantizer()
    if not any("layer_norm" in str(node.target) for node in program.graph.nodes):
        return quantiser.set_global(config), "weights in 8 bits"
    for target in (*xnnpack.CONV_TARGETS, *xnnpack.CONV_TRANSPOSE_TARGETS, *xnnpack.LINEAR_TARGETS):
        quantiser.set_operator_type(target, config)
    return quantiser, "weights in 8 bits, sums in floats"
