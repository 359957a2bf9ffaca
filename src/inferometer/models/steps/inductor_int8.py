"""Environment `torch`: an exported program quantised for Inductor's kernels of x86 processors by torchao (`pt2e`).

Request as in `models.conversions`, of a step that quantises; weight_bits: 7 where the processor adds two products in 16
bits. torchao narrows the values then, not the weights: a product is as small either way.
"""

from __future__ import annotations

import os
from typing import Any

from inferometer.models.steps import pt2e


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return what `pt2e` says of the quantised program, which lies in ``out``/model.pt2."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer

    narrow = request["weight_bits"] == 7
    config = x86_inductor_quantizer.get_default_x86_inductor_quantization_config(reduce_range=narrow)
    quantiser = x86_inductor_quantizer.X86InductorQuantizer().set_global(config)
    told = "weights in 8 bits, values in 7" if narrow else "weights in 8 bits"

    def choose(program: Any) -> tuple[Any, str]:
        name_sources(torch, program.graph)
        return quantiser, told

    return pt2e.run(torch, choose, request)


def name_sources(torch: Any, graph: Any) -> None:
    """Say of each operator that can be fused where it is from: of a call of its own, of torch's own function or module.

    The quantiser looks operators up by the module that called them: it passes over those of a subclass of nn.Conv2d, and
    refuses an activation that is one module called twice.
    """
    aten, nn = torch.ops.aten, torch.nn
    sources = {
        aten.conv2d.default: nn.functional.conv2d,
        aten.linear.default: nn.functional.linear,
        aten.relu.default: nn.ReLU,
        aten.relu_.default: nn.ReLU,
        aten.relu6.default: nn.ReLU6,
        aten.hardtanh.default: nn.Hardtanh,
        aten.hardtanh_.default: nn.Hardtanh,
        aten.hardswish.default: nn.Hardswish,
        aten.hardswish_.default: nn.Hardswish,
        aten.silu.default: nn.SiLU,
        aten.silu_.default: nn.SiLU,
        aten.leaky_relu.default: nn.LeakyReLU,
        aten.leaky_relu_.default: nn.LeakyReLU,
        aten.tanh.default: nn.Tanh,
        aten.gelu.default: nn.GELU,
    }
    for node in graph.nodes:
        if node.target in sources:
            node.meta["source_fn_stack"] = [(node.name, sources[node.target])]
