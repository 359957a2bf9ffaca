"""Modules of half precision computed in fp32: weights, constants, and casts inside graphs."""

from __future__ import annotations

from typing import Any


def single(torch: Any, module: Any) -> Any:
    """Return ``module`` with fp16 and bf16 turned to fp32 in place; other types stay."""
    halves = (torch.float16, torch.bfloat16)

    def widened(value: Any) -> Any:
        return value.float() if isinstance(value, torch.Tensor) and value.dtype in halves else value

    def retyped(value: Any) -> Any:
        return torch.float32 if value in halves else value

    module._apply(widened)
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, torch.Tensor):
                setattr(part, name, widened(value))
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                node.args = torch.fx.node.map_aggregate(node.args, retyped)
                node.kwargs = torch.fx.node.map_aggregate(node.kwargs, retyped)
            part.recompile()
    return module


def weights(torch: Any, module: Any) -> list[Any]:
    """Return the tensors that were learned: parameters, or floating constants where a program has no parameters left."""
    if parameters := list(module.parameters()):
        return parameters
    constants = [value for part in module.modules() for value in vars(part).values()]
    found = [*module.buffers(), *(value for value in constants if isinstance(value, torch.Tensor))]
    return [value for value in found if value.is_floating_point() and value.ndim]
